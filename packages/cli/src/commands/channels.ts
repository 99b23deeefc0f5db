import type { ChannelSpec } from '@posthaste/contracts'
import { flag } from '../command/options.ts'
import { abilityOf } from '../engine/abilities.ts'
import { engineCommand } from '../engine/engine-command.ts'
import { optional } from '../output/records.ts'
import { bytesText, spanText } from '../output/units.ts'

/** The core's own: dead letters, replies, schedules. */
const internalPrefix = 'posthaste.'

/** `posthaste channels` */
export const channels = engineCommand({
  name: 'channels',
  about: 'Lists the channels, and how each is set',
  details: ['A log is read by each of its groups; a queue is work for one, and what is done is gone from it.'],
  args: {},
  options: { internal: flag('Also those that Posthaste has made for itself, as for dead letters') },
  examples: ['posthaste channels --engine embedded:./data', 'posthaste channels --json | jq -r .[].name'],
  async run(_, { internal }, { engine, print }) {
    const listing = abilityOf(
      engine,
      'listing',
      'Name the channel instead: posthaste tail <channel>, lag <channel> <group>.',
    )
    const all = await listing.channels()
    const shown = all.filter(({ name }) => internal || !name.startsWith(internalPrefix))
    const columns = [
      { title: 'channel' },
      { title: 'kind' },
      { title: 'keyed' },
      { title: 'keeps' },
      { title: 'settings' },
    ]
    await print.answer({
      json: shown.map(optionalOf),
      text: () => (shown.length === 0 ? 'there are no channels\n' : print.table(columns, shown.map(rowOf))),
    })
  },
})

const optionalOf = (spec: ChannelSpec): Record<string, unknown> => optional({ ...spec })

function rowOf({ name, kind, keyed, retention, priorities = 1, deduplicateForMs }: ChannelSpec): string[] {
  const { forMs, bytesMax } = retention ?? {}
  const keeps = [
    ...(forMs === undefined ? [] : [spanText(forMs)]),
    ...(bytesMax === undefined ? [] : [bytesText(bytesMax)]),
  ]
  const settings = [
    ...(priorities > 1 ? [`${priorities} priorities`] : []),
    ...(deduplicateForMs === undefined ? [] : [`knows ids for ${spanText(deduplicateForMs)}`]),
  ]
  return [name, kind, keyed ? 'yes' : 'no', keeps.join(', '), settings.join(', ')]
}
