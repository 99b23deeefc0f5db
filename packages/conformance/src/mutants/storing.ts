import type { ChannelSpec, Engine, OutgoingRecord } from '@posthaste/contracts'
import { succeeded } from '@posthaste/contracts'
import { changed } from './changes.ts'
import { everyNth, type Mutant } from './mutant.ts'

/** Publishes with each record changed, left out (undefined), or stored more than once. */
const publishing = (engine: Engine, change: (record: OutgoingRecord) => readonly OutgoingRecord[]): Engine =>
  changed(engine, {
    async publish(records) {
      const stored = records.map(change)
      const outcomes = [...(await engine.publish(stored.flat()))]
      return stored.map((copies) => outcomes.splice(0, copies.length)[0] ?? succeeded)
    },
  })

const nowAndThen = 1_000
const earlyMs = 100

/** Faults between the publisher and the log. */
export const storingMutants: readonly Mutant[] = [
  {
    name: 'drops-one-in-a-thousand',
    fault: 'confirms one record in a thousand without storing it',
    foundBy: 'publish/volume',
    mutate(engine) {
      const isDropped = everyNth(nowAndThen)
      return publishing(engine, (record) => (isDropped() ? [] : [record]))
    },
  },
  {
    name: 'repeats-one-in-a-thousand',
    fault: 'stores one record in a thousand twice',
    foundBy: 'publish/volume',
    mutate(engine) {
      const isRepeated = everyNth(nowAndThen)
      return publishing(engine, (record) => (isRepeated() ? [record, record] : [record]))
    },
  },
  {
    name: 'swallows-errors',
    fault: 'confirms what it could not store',
    foundBy: 'publish/outcome-per-record',
    mutate: (engine) =>
      changed(engine, {
        async publish(records) {
          const outcomes = await engine.publish(records)
          return outcomes.map(() => succeeded)
        },
      }),
  },
  {
    name: 'loses-a-header',
    fault: 'stores records without one of their headers',
    foundBy: 'fidelity/headers',
    mutate: (engine) =>
      publishing(engine, (record) => {
        const names = Object.keys(record.headers)
        return [{ ...record, headers: withoutHeader(record, names.at(-1)) }]
      }),
  },
  {
    name: 're-cases-headers',
    fault: 'stores header names in capitals',
    foundBy: 'fidelity/headers',
    mutate: (engine) =>
      publishing(engine, (record) => {
        const headers = Object.entries(record.headers).map(([name, value]) => [name.toUpperCase(), value])
        return [{ ...record, headers: Object.fromEntries(headers) as OutgoingRecord['headers'] }]
      }),
  },
  {
    name: 'takes-bodies-for-text',
    fault: 'decodes bodies as UTF-8 and encodes them again',
    foundBy: 'fidelity/binary',
    mutate: (engine) =>
      publishing(engine, (record) => {
        const body = new TextEncoder().encode(new TextDecoder().decode(record.body))
        return [{ ...record, body }]
      }),
  },
  {
    name: 'hurries',
    fault: 'delivers delayed records a tenth of a second early',
    foundBy: 'bus-delay/not-before',
    needs: ['delay'],
    mutate: (engine) =>
      publishing(engine, (record) => [
        { ...record, dueAtMs: record.dueAtMs === undefined ? undefined : record.dueAtMs - earlyMs },
      ]),
  },
  {
    name: 'swaps-neighbours',
    fault: 'stores each pair of records of a batch in the wrong order',
    foundBy: 'order/over-restart',
    needs: ['keyOrder'],
    mutate: (engine) =>
      changed(engine, {
        async publish(records) {
          const swapped = records.map((record, at) => records[at % 2 === 0 ? at + 1 : at - 1] ?? record)
          const outcomes = await engine.publish(swapped)
          return records.map((_, at) => outcomes[at % 2 === 0 ? at + 1 : at - 1] ?? outcomes[at] ?? succeeded)
        },
      }),
  },
  {
    name: 'keeps-no-history',
    fault: 'lets a later group begin with what comes next, whatever it asks for',
    foundBy: 'groups/begin',
    needs: ['history'],
    mutate: (engine) =>
      changed(engine, {
        declare: ({ channels, groups }) =>
          engine.declare({ channels, groups: groups.map((group) => ({ ...group, from: 'next' })) }),
      }),
  },
  {
    name: 'hides-drift',
    fault: 'says nothing about channels that exist with other settings',
    foundBy: 'topology/drift',
    mutate: (engine) =>
      changed(engine, {
        async declare(topology) {
          const { created } = await engine.declare(topology)
          return { created, drift: [] }
        },
      }),
  },
  {
    name: 'forgets-ids',
    fault: 'stores what it has stored before, though it was told to recognise it',
    foundBy: 'dedupe/repetition',
    needs: ['deduplication'],
    mutate: (engine) => redeclaring(engine, (channel) => ({ ...channel, deduplicateForMs: undefined })),
  },
  {
    name: 'ignores-priority',
    fault: 'hands records over in the order of publishing, whatever their priority',
    foundBy: 'priority/first',
    needs: ['priorities'],
    mutate: (engine) => publishing(engine, (record) => [{ ...record, priority: undefined }]),
  },
]

const redeclaring = (engine: Engine, change: (channel: ChannelSpec) => ChannelSpec): Engine =>
  changed(engine, {
    declare: ({ channels, groups }) => engine.declare({ channels: channels.map(change), groups }),
  })

function withoutHeader({ headers }: OutgoingRecord, lost: string | undefined): OutgoingRecord['headers'] {
  const kept = Object.entries(headers).filter(([name]) => name !== lost)
  return Object.fromEntries(kept) as OutgoingRecord['headers']
}
