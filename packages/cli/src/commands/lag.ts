import { type Engine, type Lag, PosthasteError } from '@posthaste/contracts'
import { someInteger, text } from '../command/options.ts'
import { abilityOf } from '../engine/abilities.ts'
import { engineCommand } from '../engine/engine-command.ts'
import { figure } from '../output/units.ts'
import { groupsOf } from './groups.ts'

interface GroupLag extends Lag {
  readonly channel: string
  readonly group: string
}

/** `posthaste lag` */
export const lag = engineCommand({
  name: 'lag',
  about: 'Tells how far groups are behind',
  details: [
    'Ready are messages that are due and not done, those in flight included; in flight are those that a member has; waiting are those whose time has not come, or that stand behind one of their key that waits.',
    'With --max it fails (exit code 1) where a group has more than so many ready: a check for scripts.',
  ],
  args: {
    channel: text('The channel; all if absent', { value: 'channel' }),
    group: text('The group; all of the channel if absent', { value: 'group' }),
  },
  options: { max: someInteger('Fails where more are ready', { min: 0, max: Number.MAX_SAFE_INTEGER }) },
  examples: ['posthaste lag', 'posthaste lag shop.order.created points --max 1000'],
  async run({ channel, group }, { max }, { engine, print }) {
    const found = await lagsOf(engine, channel, group)
    const columns = ['ready', 'in flight', 'waiting'].map((title) => ({ title, isFigure: true }))
    const rows = found.map((each) => [
      each.channel,
      each.group,
      ...[each.ready, each.inFlight, each.waiting].map(figure),
    ])
    await print.answer({
      json: found,
      text: () =>
        rows.length === 0
          ? 'there are no groups\n'
          : print.table([{ title: 'channel' }, { title: 'group' }, ...columns], rows),
    })
    return max !== undefined && found.some(({ ready }) => ready > max) ? 1 : undefined
  },
})

async function lagsOf(engine: Engine, channel: string | undefined, group: string | undefined): Promise<GroupLag[]> {
  const reading = abilityOf(engine, 'lag')
  const read = async (channel: string, group: string): Promise<GroupLag> => {
    const { ready, inFlight, waiting } = await reading.lag(channel, group)
    return { channel, group, ready, inFlight, waiting }
  }
  if (channel !== undefined && group !== undefined) return [await read(channel, group)]
  const each = (await groupsOf(engine, channel)).map((listed) => read(listed.channel, listed.group).catch(unlessGone))
  return (await Promise.all(each)).filter((found) => found !== undefined)
}

/** A group that was listed may be gone by now, or be a temporary one that only its own process can tell of. */
function unlessGone(error: unknown): undefined {
  if (!PosthasteError.is(error, 'NOT_FOUND')) throw error
}
