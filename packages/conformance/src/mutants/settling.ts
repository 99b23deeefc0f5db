import type { DeliveryTag, Engine, EngineSubscription, OutgoingRecord, Settlement } from '@posthaste/contracts'
import { succeeded } from '@posthaste/contracts'
import { changed, settling } from './changes.ts'
import { everyNth, type Mutant } from './mutant.ts'

const deadLetters = /^posthaste\.dead\.([^.]+)\.(.+)$/

/** Changes what acknowledgements publish. */
const carrying = (engine: Engine, change: (record: OutgoingRecord) => OutgoingRecord): Engine =>
  settling(engine, (settlement) =>
    settlement.kind === 'ack' && settlement.publish !== undefined
      ? { ...settlement, publish: settlement.publish.map(change) }
      : settlement,
  )

/** Faults at the end of deliveries. */
export const settlingMutants: readonly Mutant[] = [
  {
    name: 'settles-twice',
    fault: 'publishes what an acknowledgement carries twice',
    foundBy: 'settle/publish-survives',
    mutate: (engine) =>
      settling(engine, (settlement) =>
        settlement.kind === 'ack' && settlement.publish !== undefined
          ? { ...settlement, publish: settlement.publish.flatMap((record) => [record, record]) }
          : settlement,
      ),
  },
  {
    name: 'forgives-second-settlements',
    fault: 'says that a delivery was settled that was not there any more',
    foundBy: 'settle/twice',
    mutate: (engine) =>
      changed(engine, {
        subscription: (joined) => ({
          async settle(batch) {
            const outcomes = await joined.settle(batch)
            return outcomes.map((outcome) =>
              !outcome.ok && outcome.error.code === 'DELIVERY_LOST' ? succeeded : outcome,
            )
          },
        }),
      }),
  },
  {
    name: 'revives-settled',
    fault: 'delivers every fifth acknowledged record again',
    foundBy: 'settle/acknowledged',
    mutate(engine) {
      const isRevived = everyNth(5)
      return settling(engine, (settlement): Settlement => {
        if (settlement.kind !== 'ack' || settlement.publish !== undefined || !isRevived()) return settlement
        return { kind: 'release', tag: settlement.tag, countsAttempt: false }
      })
    },
  },
  {
    name: 'loses-released',
    fault: 'never delivers again what was given back',
    foundBy: 'attempts/counted',
    mutate: (engine) =>
      settling(engine, (settlement) =>
        settlement.kind === 'release' ? { kind: 'ack', tag: settlement.tag } : settlement,
      ),
  },
  {
    name: 'leaks-leases',
    fault: 'never delivers again what a member had when it left',
    foundBy: 'life/stop',
    mutate: (engine) => leaking(engine),
  },
  {
    name: 'misplaces-dead-letters',
    fault: 'puts dead letters to those of another group of the channel',
    foundBy: 'bus-redrive/own-group',
    needs: ['browsing', 'groupAddress'],
    mutate(engine) {
      const declared = new Set<string>()
      const misplaced = (record: OutgoingRecord) => {
        const [, group, channel] = deadLetters.exec(record.channel) ?? []
        const other = [...declared].find((name) => {
          const [, otherGroup, otherChannel] = deadLetters.exec(name) ?? []
          return channel !== undefined && otherChannel === channel && otherGroup !== group
        })
        return other === undefined ? record : { ...record, channel: other }
      }
      return changed(carrying(engine, misplaced), {
        declare(topology) {
          for (const { name } of topology.channels) declared.add(name)
          return engine.declare(topology)
        },
      })
    },
  },
  {
    name: 'cuts-dead-letters',
    fault: 'stores no more than the first 16 bytes of a dead letter',
    foundBy: 'bus-dead/bytes',
    needs: ['browsing'],
    mutate: (engine) =>
      carrying(engine, (record) =>
        deadLetters.test(record.channel) ? { ...record, body: record.body.slice(0, 16) } : record,
      ),
  },
  {
    name: 'drops-carried',
    fault: 'acknowledges without publishing what the acknowledgement carries',
    foundBy: 'settle/publish',
    mutate: (engine) =>
      settling(engine, (settlement) => (settlement.kind === 'ack' ? { kind: 'ack', tag: settlement.tag } : settlement)),
  },
  {
    name: 'loses-acknowledgements',
    fault: 'says that it acknowledged one delivery in ten, and did not',
    foundBy: 'settle/acknowledged',
    mutate(engine) {
      const isLost = everyNth(3)
      return changed(engine, {
        subscription: (joined) => ({
          async settle(batch) {
            const lost = batch.map(({ kind }) => kind === 'ack' && isLost())
            const outcomes = [...(await joined.settle(batch.filter((_, at) => !lost[at])))]
            return lost.map((isGone) => (isGone ? succeeded : (outcomes.shift() ?? succeeded)))
          },
        }),
      })
    },
  },
]

/** Acknowledges on leaving whatever the member still has. */
function leaking(engine: Engine): Engine {
  return {
    ...changed(engine, {}),
    async subscribe(spec, sink) {
      const held = new Set<DeliveryTag>()
      const joined: EngineSubscription = await engine.subscribe(spec, {
        deliver(batch) {
          for (const { tag } of batch) held.add(tag)
          sink.deliver(batch)
        },
        lost: (tags, reason) => sink.lost(tags, reason),
        closed: (cause) => sink.closed(cause),
      })
      return {
        grant: (credit) => joined.grant(credit),
        extend: (tags) => joined.extend(tags),
        settle(batch) {
          for (const { tag } of batch) held.delete(tag)
          return joined.settle(batch)
        },
        async stop() {
          if (held.size > 0) await joined.settle([...held].map((tag) => ({ kind: 'ack', tag })))
          await joined.stop()
        },
      }
    },
  }
}
