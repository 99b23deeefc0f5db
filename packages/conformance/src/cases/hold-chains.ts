import assert from 'node:assert/strict'
import type { OutgoingRecord, Settlement } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import { expectKeyOrder, expectSame, expectSameSet } from '../expect.ts'
import { acknowledge, type Handle } from '../member.ts'

/** Several held records at a time: within a key, and in many keys. */
export const holdChains: readonly ConformanceCase[] = [
  {
    id: 'hold/chain',
    title: 'several held records of one key are done in the order of the key',
    needs: ['holdKey', 'delay'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const member = await channel.join('g', { credit: 100 })
      const sent = await channel.publish(...channel.records(4, { key: 'k' }))
      const received = await member.take(4)
      const startMs = context.nowMs()
      // The second is due long before the first, and waits for it all the same.
      const waits = [3, 1, 2, 0]
      await member.settled(
        ...received.map(({ tag }, at): Settlement => {
          const visibleAtMs = startMs + (waits[at] ?? 0) * context.delayMs
          return { kind: 'release', tag, countsAttempt: true, visibleAtMs, holdKey: true }
        }),
      )
      await context.reach(startMs + 3 * context.delayMs)
      for (const record of sent) {
        const again = await member.next()
        expectSame([again], [record])
        await member.ack(again)
      }
    },
  },
  {
    id: 'hold/many-keys',
    title: 'retries of many keys go on side by side, each in order',
    needs: ['holdKey', 'delay'],
    async run(context) {
      const channel = await context.channel({ keyed: true })
      const failing = new Set(['k1', 'k4', 'k7'])
      const { done, handle } = failingTwice(failing, () => context.nowMs() + 1)
      const member = await channel.join('g', { credit: 16, handle })
      const sent = channel.records(100, (at) => ({ key: `k${at % 10}`, headers: at < 10 ? first : {} }))
      await channel.publish(...sent)
      await context.until(
        () => done.length >= 70,
        () => `the keys that do not fail, got ${done.length} done`,
      )
      for (const attempt of [1, 2]) {
        const failures = () =>
          member.received.filter((each) => each.attempt === attempt && isFailing(each.record, failing))
        await context.until(
          () => failures().length === failing.size,
          () => `attempt ${attempt} of each failing key`,
        )
        await context.reach(context.nowMs() + 1)
      }
      await context.until(
        () => done.length >= 100,
        () => `all 100 done, got ${done.length}`,
      )
      const deliveries = done.map((record) => ({ record, tag: 0, attempt: 1, storedAtMs: 0, position: '' }))
      expectSameSet(deliveries, sent)
      expectKeyOrder(deliveries, sent)
      assert.ok(member.received.every(({ attempt }) => attempt <= 3))
    },
  },
]

/** Marks the first record of a key. */
const first = { first: 'yes' }

const isFailing = ({ key, headers }: OutgoingRecord, failing: ReadonlySet<string>): boolean =>
  key !== undefined && failing.has(key) && headers.first !== undefined

/**
 * Handles as the core does: the first record of a failing key fails twice and holds its key, what came with it is handed
 * back, and all else is done.
 */
function failingTwice(failing: ReadonlySet<string>, visibleAtMs: () => number) {
  const done: OutgoingRecord[] = []
  const handle: Handle = (received) => {
    const { tag, record, attempt } = received
    if (isFailing(record, failing) && attempt < 3) {
      return { kind: 'release', tag, countsAttempt: true, visibleAtMs: visibleAtMs(), holdKey: true }
    }
    const isBehind = record.headers.first === undefined && !done.some(({ key }) => key === record.key)
    if (isBehind && failing.has(record.key ?? '')) return { kind: 'release', tag, countsAttempt: false }
    done.push(record)
    return acknowledge(received)
  }
  return { done, handle }
}
