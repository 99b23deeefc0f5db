import type { Delivery, EngineSubscription } from '@posthaste/contracts'
import { succeeded } from '@posthaste/contracts'
import { altered, changed, delivering } from './changes.ts'
import type { Mutant } from './mutant.ts'

/** Faults between the log and the member. */
export const deliveringMutants: readonly Mutant[] = [
  {
    name: 'acknowledges-on-delivery',
    fault: 'takes for acknowledged what it has delivered',
    foundBy: 'life/stop',
    mutate(engine) {
      return {
        ...changed(engine, {}),
        async subscribe(spec, sink) {
          let joined: EngineSubscription | undefined
          const waiting: Delivery[] = []
          const acknowledge = (batch: readonly Delivery[]) => {
            if (joined === undefined) waiting.push(...batch)
            else void joined.settle(batch.map(({ tag }) => ({ kind: 'ack', tag }))).catch(() => {})
          }
          const subscription = await engine.subscribe(spec, {
            deliver(batch) {
              const kept = batch.map((delivery) => altered(delivery, {}))
              queueMicrotask(() => acknowledge(kept))
              sink.deliver(kept)
            },
            lost: (tags, reason) => sink.lost(tags, reason),
            closed: (cause) => sink.closed(cause),
          })
          joined = subscription
          acknowledge(waiting)
          return {
            grant: (credit) => subscription.grant(credit),
            extend: (tags) => subscription.extend(tags),
            stop: () => subscription.stop(),
            async settle(batch) {
              const carried = batch.flatMap((each) => (each.kind === 'ack' ? (each.publish ?? []) : []))
              if (carried.length > 0) await engine.publish(carried)
              return batch.map(() => succeeded)
            },
          }
        },
      }
    },
  },
  {
    name: 'forgets-pause',
    fault: 'delivers to members that have granted no credit',
    foundBy: 'credit/none',
    mutate: (engine) =>
      changed(engine, {
        subscription(joined) {
          joined.grant(5)
          return {}
        },
      }),
  },
  {
    name: 'forgets-attempts-on-restart',
    fault: 'counts attempts from 1 after each restart',
    foundBy: 'attempts/restart',
    needs: ['attempts'],
    mutate(engine) {
      /** By id: the attempt that came first since the engine was opened. */
      const first = new Map<string, number>()
      const since = (delivery: Delivery) => {
        const before = first.get(delivery.record.id) ?? delivery.attempt
        first.set(delivery.record.id, before)
        return altered(delivery, { attempt: Math.max(1, delivery.attempt - before + 1) })
      }
      return delivering(engine, (batch) => batch.map(since))
    },
  },
  {
    name: 'delivers-the-same-body',
    fault: 'hands out one buffer again and again',
    foundBy: 'fidelity/binary',
    mutate(engine) {
      const shared = new Uint8Array(1 << 20)
      const inBuffer = (delivery: Delivery) => {
        const { body } = delivery.record
        if (body.length > shared.length) return delivery
        shared.set(body)
        return altered(delivery, { record: { ...delivery.record, body: shared.subarray(0, body.length) } })
      }
      return delivering(engine, (batch) => batch.map(inBuffer))
    },
  },
]
