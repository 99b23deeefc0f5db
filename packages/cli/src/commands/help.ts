import { PosthasteError } from '@posthaste/contracts'
import { command } from '../command/command.ts'
import { nearest } from '../command/nearest.ts'
import { texts } from '../command/options.ts'
import { overview, usage } from '../command/usage.ts'

/** `posthaste help` */
export const help = command({
  name: 'help',
  about: 'Tells what there is, or all about one command',
  details: [],
  args: { command: texts('The command, in one word or two', { value: 'command' }) },
  options: {},
  examples: ['posthaste help dlq redrive'],
  async run({ command: words }, _, { io, commands }) {
    const name = words.join(' ')
    const below = commands.filter((each) => each.name.startsWith(`${name} `))
    const found = commands.find((each) => each.name === name)
    if (name === '') await io.out.write(overview(commands))
    else if (found !== undefined) await io.out.write(usage(found))
    else if (below.length > 0) await io.out.write(overview(below))
    else
      throw unknown(
        name,
        commands.map((each) => each.name),
      )
  },
})

function unknown(name: string, names: readonly string[]): PosthasteError {
  const meant = nearest(name, names)
  const remedy = meant === undefined ? 'See posthaste help.' : `Did you mean ${meant}?`
  return new PosthasteError('INVALID_ARGUMENT', `there is no command '${name}'`, { remedy })
}
