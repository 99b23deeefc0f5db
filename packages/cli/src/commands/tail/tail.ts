import type { Engine } from '@posthaste/contracts'
import { flag, Mistake, type Option, requiredText, someInteger, text, timeOf } from '../../command/options.ts'
import { abilityOf } from '../../engine/abilities.ts'
import { engineCommand } from '../../engine/engine-command.ts'
import { now } from '../now.ts'
import { followBrowsing } from './browsing.ts'
import { emitter } from './emit.ts'
import { followGroup } from './group.ts'

/** Where it begins: what comes next, the oldest that is kept, or a time. */
type From = 'next' | 'earliest' | { readonly atMs: number }

const fromOption: Option<From | undefined> = {
  about: 'next, earliest, or a time: 2026-01-31T09:30:00Z, or -10m. Default next; earliest with --no-follow',
  value: 'place',
  choices: ['next', 'earliest'],
  read(given) {
    const found = Array.isArray(given) ? (given.at(-1) as string) : undefined
    if (found === undefined || found === 'next' || found === 'earliest') return found
    try {
      return { atMs: timeOf(found, now()) }
    } catch (error) {
      if (error instanceof Mistake) throw new Mistake(`${error.message}; or must be next or earliest`)
      throw error
    }
  },
}

/** `posthaste tail` */
export const tail = engineCommand({
  name: 'tail',
  about: 'Shows messages as they come, and disturbs nobody',
  details: [
    'A log is followed as a temporary group of its own, which goes with the command and misses nothing; --browse looks into the channel instead, as is done for queues, from a time on, and where the engine has no such groups: what is done and gone within a quarter of a second is not seen then. Which of both it is, is told on standard error. Looking takes the right to manage the channel, where a broker has users; following takes that to consume.',
    'It goes on until Ctrl-C, or as long as --limit and --no-follow say. With --json each message is a line, which publish --records takes.',
  ],
  args: { channel: requiredText('The channel', { value: 'channel' }) },
  options: {
    from: fromOption,
    'no-follow': flag('Ends when all that is there has been shown'),
    browse: flag('Looks into the channel, as no group'),
    limit: someInteger('Ends after so many messages', { min: 1, max: Number.MAX_SAFE_INTEGER }),
    id: text('Only messages of this id', { value: 'id' }),
    key: text('Only messages of this key', { value: 'key' }),
    correlation: text('Only messages of this correlation id', { value: 'id' }),
  },
  examples: [
    'posthaste tail shop.order.created',
    'posthaste tail shop.order.created --from -10m --key 4711',
    'posthaste tail shop.stock.deduct --no-follow --json > waiting.ndjson',
  ],
  async run({ channel }, options, around) {
    const { engine, print } = around
    const follows = !options['no-follow']
    const from = options.from ?? (follows ? 'next' : 'earliest')
    const match = { id: options.id, key: options.key, correlationId: options.correlation }
    if (from !== 'next' && engine.capabilities.history === 'none') {
      await print.note(`the engine ${engine.name} keeps no history: of a log, only what comes from now on is shown`)
    }
    const emit = emitter(around, { match, limit: options.limit })
    if (follows && !options.browse && typeof from === 'string' && hasGroups(engine)) {
      if (await followGroup({ ...around, channel, from, emit })) return 0
    }
    const browsing = abilityOf(engine, 'browsing')
    const begun = async (): Promise<void> => {
      // Nobody has to be told of what is only read.
      if (follows) await print.note(`looking into ${channel}, and joining no group; what goes at once is not seen`)
    }
    const sinceMs = typeof from === 'object' ? from.atMs : from === 'next' ? now() : undefined
    await followBrowsing({ ...around, browsing, channel, follows, match: { ...match, sinceMs }, emit, begun })
    return 0
  },
})

function hasGroups({ capabilities }: Engine): boolean {
  return capabilities.temporaryGroups === 'native'
}
