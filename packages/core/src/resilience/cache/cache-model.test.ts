import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { cache } from './cache.ts'

const step = fc.record({
  key: fc.constantFrom('a', 'b'),
  waitMs: fc.integer({ min: 0, max: 150 }),
  tookMs: fc.integer({ min: 0, max: 200 }),
  how: fc.constantFrom('at once', 'later', 'later', 'fails'),
  deadlineMs: fc.constantFrom(Number.POSITIVE_INFINITY, 50, 150),
  cancelAfterMs: fc.constantFrom(undefined, undefined, 20, 100),
})
const bounds = fc.record({ ttlMs: fc.integer({ min: 1, max: 200 }), staleMs: fc.integer({ min: 0, max: 200 }) })

describe('a cache, whatever is asked of it', () => {
  it('asks once at a time for each key, gives no answer that is too old, and answers every call', async () => {
    await fc.assert(
      fc.asyncProperty(bounds, fc.array(step, { maxLength: 25 }), async ({ ttlMs, staleMs }, steps) => {
        const clock = manualClock()
        const filter = cache({ ttlMs, staleMs }, filterDeps({ clock }))
        const wanted = new Map<string, number>()
        const endings: Promise<unknown>[] = []
        for (const { key, waitMs, tookMs, how, deadlineMs, cancelAfterMs } of steps) {
          const source = cancelSource()
          const nowMs = clock.monotonicMs()
          const call = createCall({
            ...{ kind: 'request', target: 't', id: '1', payload: key, idempotent: true },
            ...{ cancellation: source.token, deadlineAtMs: nowMs + deadlineMs },
          })
          if (cancelAfterMs !== undefined)
            clock.setTimer(cancelAfterMs, () => source.cancel(new PosthasteError('CANCELLED', 'enough')))
          /** Answers with when it was asked. */
          const answer = filter.apply(call, (asked): number | Promise<number> => {
            const askedAtMs = clock.monotonicMs()
            if (how === 'at once') return askedAtMs
            expect(wanted.get(key) ?? 0).toBe(0)
            wanted.set(key, 1)
            let isWanted = true
            const done = (): void => {
              if (isWanted) wanted.set(key, 0)
              isWanted = false
            }
            asked.cancellation.onCancel(done)
            return new Promise((resolve, reject) => {
              clock.setTimer(tookMs, () => {
                done()
                if (how === 'fails') reject(new PosthasteError('UNAVAILABLE', 'down'))
                else resolve(askedAtMs)
              })
            })
          })
          if (isPromiseLike(answer)) {
            endings.push(
              Promise.resolve(answer).catch((thrown: unknown) => expect(PosthasteError.is(thrown)).toBe(true)),
            )
          } else expect(nowMs - answer).toBeLessThan(ttlMs + staleMs)
          await clock.advance(waitMs)
        }
        await clock.advance(10_000)
        await Promise.all(endings)
        expect(filter.snapshot?.()).toMatchObject({ inFlight: 0 })
        expect(clock.pending()).toBeLessThanOrEqual(1)
      }),
      { numRuns: 100 },
    )
  })
})
