import { type Engine, type ListedGroup, PosthasteError } from '@posthaste/contracts'
import { text } from '../command/options.ts'
import { abilityOf } from '../engine/abilities.ts'
import { engineCommand } from '../engine/engine-command.ts'
import { optional } from '../output/records.ts'
import { figure } from '../output/units.ts'

/** A group with its channel. */
export interface PlacedGroup extends ListedGroup {
  readonly channel: string
}

/** `posthaste groups` */
export const groups = engineCommand({
  name: 'groups',
  about: 'Lists the groups of a channel, or of all',
  details: ['Members are those of all processes, where the engine can tell.'],
  args: { channel: text('The channel; all if absent', { value: 'channel' }) },
  options: {},
  examples: ['posthaste groups shop.order.created'],
  async run({ channel }, _, { engine, print }) {
    const found = await groupsOf(engine, channel)
    const rows = found.map((each) => [each.channel, each.group, each.lifetime, membersText(each.members)])
    const columns = [
      { title: 'channel' },
      { title: 'group' },
      { title: 'lifetime' },
      { title: 'members', isFigure: true },
    ]
    await print.answer({
      json: found.map((each) => optional({ ...each })),
      text: () => (rows.length === 0 ? 'there are no groups\n' : print.table(columns, rows)),
    })
  },
})

const membersText = (members: number | undefined): string => (members === undefined ? '?' : figure(members))

/**
 * The groups of one channel, or of all.
 * @throws CAPABILITY_UNSUPPORTED where the engine cannot tell; NOT_FOUND when there is no such channel
 */
export async function groupsOf(engine: Engine, channel: string | undefined): Promise<readonly PlacedGroup[]> {
  const listing = abilityOf(engine, 'listing', 'Name the channel and the group: posthaste lag <channel> <group>.')
  if (channel !== undefined) return placed(channel, await listing.groups(channel))
  const all = await listing.channels()
  const each = all.map(async ({ name }) => {
    try {
      return placed(name, await listing.groups(name))
    } catch (error) {
      // It may have gone meanwhile.
      if (PosthasteError.is(error, 'NOT_FOUND')) return []
      throw error
    }
  })
  return (await Promise.all(each)).flat()
}

function placed(channel: string, found: readonly ListedGroup[]): PlacedGroup[] {
  return found.map((group) => ({ channel, ...group }))
}
