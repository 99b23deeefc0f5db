import type { OutgoingRecord } from '@posthaste/contracts'
import { altered, changed, delivering, settling } from './changes.ts'
import { everyNth, type Mutant } from './mutant.ts'

/** Faults of the kinds that engines have had, each so often that few records show it. */
export const plainMutants: readonly Mutant[] = [
  {
    name: 'drops-records',
    fault: 'confirms every tenth record without storing it',
    foundBy: 'publish/survives-restart',
    mutate(engine) {
      const isDropped = everyNth(10)
      return changed(engine, {
        async publish(records) {
          const dropped = records.map(isDropped)
          const outcomes = [...(await engine.publish(records.filter((_, at) => !dropped[at])))]
          return dropped.map((isGone) => (isGone ? { ok: true } : (outcomes.shift() ?? { ok: true })))
        },
      })
    },
  },
  {
    name: 'repeats-records',
    fault: 'stores every tenth record twice',
    foundBy: 'groups/share',
    mutate(engine) {
      const isRepeated = everyNth(10)
      return changed(engine, {
        async publish(records) {
          await engine.publish(records.filter(isRepeated))
          return engine.publish(records)
        },
      })
    },
  },
  {
    name: 'reorders',
    fault: 'delivers each batch in reverse',
    foundBy: 'order/per-key',
    needs: ['keyOrder'],
    mutate: (engine) => delivering(engine, (batch) => [...batch].reverse()),
  },
  {
    name: 'forgets-attempts',
    fault: 'delivers everything as attempt 1',
    foundBy: 'attempts/counted',
    mutate: (engine) => delivering(engine, (batch) => batch.map((delivery) => altered(delivery, { attempt: 1 }))),
  },
  {
    name: 'counts-hand-backs',
    fault: 'counts every release as an attempt',
    foundBy: 'attempts/counted',
    mutate: (engine) =>
      settling(engine, (settlement) =>
        settlement.kind === 'release' ? { ...settlement, countsAttempt: true } : settlement,
      ),
  },
  {
    name: 'ignores-delay',
    fault: 'delivers delayed records at once',
    foundBy: 'delay/publish',
    needs: ['delay'],
    mutate(engine) {
      const now = (record: OutgoingRecord) => ({ ...record, dueAtMs: undefined })
      return changed(engine, { publish: (records) => engine.publish(records.map(now)) })
    },
  },
  {
    name: 'ignores-backoff',
    fault: 'brings released records back at once',
    foundBy: 'delay/release',
    needs: ['delay'],
    mutate: (engine) =>
      settling(engine, (settlement) =>
        settlement.kind === 'release' ? { ...settlement, visibleAtMs: undefined } : settlement,
      ),
  },
  {
    name: 'ignores-holds',
    fault: 'lets the successors of a failed record overtake it',
    foundBy: 'hold/own-key',
    needs: ['holdKey', 'delay'],
    mutate: (engine) =>
      settling(engine, (settlement) =>
        settlement.kind === 'release' ? { ...settlement, holdKey: undefined } : settlement,
      ),
  },
  {
    name: 'exceeds-credit',
    fault: 'delivers twice as much as was granted',
    foundBy: 'credit/bound',
    mutate: (engine) =>
      changed(engine, {
        subscription: (subscription) => ({ grant: (credit) => subscription.grant(2 * credit) }),
      }),
  },
  {
    name: 'acknowledges-first',
    fault: 'acknowledges before it publishes, in two steps',
    foundBy: 'settle/publish-fails',
    mutate: (engine) =>
      changed(engine, {
        subscription: (subscription) => ({
          async settle(batch) {
            const published = batch.flatMap((settlement) =>
              settlement.kind === 'ack' ? (settlement.publish ?? []) : [],
            )
            const bare = batch.map((settlement) =>
              settlement.kind === 'ack' ? { ...settlement, publish: [] } : settlement,
            )
            const outcomes = await subscription.settle(bare)
            const [failed] = (await engine.publish(published)).filter(({ ok }) => !ok)
            return failed === undefined ? outcomes : outcomes.map(() => failed)
          },
        }),
      }),
  },
  {
    name: 'broadcasts',
    fault: 'gives what is addressed to one group to all',
    foundBy: 'groups/addressed',
    needs: ['groupAddress'],
    mutate(engine) {
      const toAll = (record: OutgoingRecord) => ({ ...record, group: undefined })
      return changed(engine, { publish: (records) => engine.publish(records.map(toAll)) })
    },
  },
  {
    name: 'forgets-keys',
    fault: 'shares the records of one key out among members',
    foundBy: 'order/competing',
    needs: ['keyOrder'],
    mutate(engine) {
      const keys = new Map<string, string>()
      const keyless = (record: OutgoingRecord) => {
        if (record.key !== undefined) keys.set(record.id, record.key)
        return { ...record, key: undefined }
      }
      const keyed = (record: OutgoingRecord) => ({ ...record, key: keys.get(record.id) })
      return changed(
        delivering(engine, (batch) => batch.map((delivery) => altered(delivery, { record: keyed(delivery.record) }))),
        { publish: (records) => engine.publish(records.map(keyless)) },
      )
    },
  },
  {
    name: 'never-leaves',
    fault: 'goes on delivering to members that have left',
    foundBy: 'life/stop',
    mutate: (engine) => changed(engine, { subscription: () => ({ async stop() {} }) }),
  },
  {
    name: 'cancels-in-words',
    fault: 'says that it cancelled, and delivers',
    foundBy: 'cancel/in-time',
    needs: ['delay', 'scheduling'],
    mutate: (engine) =>
      changed(engine, {
        scheduling: { dueAt: async (channel, id) => engine.scheduling?.dueAt(channel, id), cancel: async () => true },
      }),
  },
]
