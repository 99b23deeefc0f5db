import assert from 'node:assert/strict'
import { PosthasteError, reject } from '@posthaste/contracts'
import { keyedEvent, notes, plainEvent, publishNotes, startedBus } from '../bus/bus.ts'
import { expectComplete, expectKeyedPairs, Journal } from '../bus/journal.ts'
import type { ConformanceCase } from '../case.ts'

/** Handlers that take many messages at once. */
export const busBatches: readonly ConformanceCase[] = [
  {
    id: 'bus-batch/outcomes',
    title: 'each message of a batch has its own outcome: those that fail are tried again alone, or end as dead letters',
    needs: ['delay'],
    async run(context) {
      const Noted = plainEvent(context)
      const journal = new Journal(context)
      const sizes: number[] = []
      const tries = new Map<number, number>()
      const options = { group: 'g', retry: { immediate: 0, baseMs: 10 }, batch: { max: 25 } }
      const bus = await startedBus(context, (each) =>
        each.onBatch(Noted, options, (messages) => {
          sizes.push(messages.length)
          return messages.map((message) => {
            const { n } = message.data
            tries.set(n, (tries.get(n) ?? 0) + 1)
            if (n % 50 === 7) return reject('never')
            if (n % 10 === 3 && tries.get(n) === 1) return new PosthasteError('HANDLER_FAILED', 'not yet')
            journal.note(message.data, message)
            return undefined
          })
        }),
      )
      const count = 200
      await publishNotes(bus, Noted, notes(count))
      const refused = notes(count).filter(({ n }) => n % 50 === 7).length
      await context.eventually(
        () => journal.runs.length >= count - refused && bus.stats()[0]?.deadLettered === refused,
        () => `${count - refused} to be handled, saw ${journal.runs.length}`,
      )
      await context.lull()
      const done = notes(count).filter(({ n }) => n % 50 !== 7)
      assert.deepEqual(
        done.filter(({ n }) => journal.of(n).length !== 1),
        [],
        'the others are handled once each',
      )
      assert.ok(
        sizes.every((size) => size >= 1 && size <= 25),
        'no batch is larger than asked for',
      )
      assert.ok(Math.max(...sizes) > 1, 'there are batches')
      const wrong = done.filter(({ n }) => tries.get(n) !== (n % 10 === 3 ? 2 : 1))
      assert.deepEqual(wrong, [], 'those that did well are not tried again')
      context.count('messages', count)
      context.count('batches', sizes.length)
    },
  },
  {
    id: 'bus-batch/key-order',
    title: 'a batch has one message of a key at most, so that its order outlives failures in batches, too',
    needs: ['delay', 'keyOrder', 'holdKey'],
    async run(context) {
      const Noted = keyedEvent(context)
      const journal = new Journal(context)
      const tries = new Map<number, number>()
      let crowded = 0
      const options = { group: 'g', retry: { immediate: 0, baseMs: 10 }, batch: { max: 10 } }
      const bus = await startedBus(context, (each) =>
        each.onBatch(Noted, options, (messages) => {
          if (new Set(messages.map(({ key }) => key)).size !== messages.length) crowded += 1
          return messages.map((message) => {
            const { n } = message.data
            tries.set(n, (tries.get(n) ?? 0) + 1)
            if (n % 9 === 4 && tries.get(n) === 1) return new PosthasteError('HANDLER_FAILED', 'not yet')
            journal.note(message.data, message)
            return undefined
          })
        }),
      )
      await publishNotes(bus, Noted, notes(180, 12))
      await journal.complete(180)
      await context.lull()
      assert.equal(crowded, 0)
      expectComplete(context, journal.runs, { count: 180 })
      expectKeyedPairs(context, journal.runs)
    },
  },
]
