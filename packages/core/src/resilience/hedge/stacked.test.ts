import { type Call, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { breaker } from '../breaker/breaker.ts'
import { retry } from '../retry/retry.ts'
import { deadline } from '../time/deadline.ts'
import { timeout } from '../time/timeout.ts'
import { hedge } from './hedge.ts'

const tickMs = 10
const totalMs = 1_000
const attemptMs = 300
const attempts = { retry: 3, hedge: 2 }

const script = fc.record({
  afterMs: fc.oneof(fc.nat(500), fc.constant(Number.POSITIVE_INFINITY)),
  end: fc.constantFrom('value' as const, 'unavailable' as const, 'notFound' as const),
})

describe('all that bounds, repeats and races calls, stacked', () => {
  it('ends each call once and in time, with an answer of its own or a failure, and leaves nothing running', async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.record({ scripts: fc.array(script, { minLength: 1, maxLength: 6 }), gapMs: fc.nat(200) }), {
          minLength: 1,
          maxLength: 10,
        }),
        fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }),
        async (courses, random) => {
          const clock = manualClock()
          const deps = filterDeps({ clock, random: () => random })
          const filters = [
            deadline({ timeoutMs: totalMs }, deps),
            retry({ attempts: attempts.retry, budget: false, baseMs: 20 }, deps),
            hedge({ attempts: attempts.hedge, delayMs: 100, budget: false }, deps),
            breaker({ callsMin: 1_000 }, deps),
            timeout({ timeoutMs: attemptMs }, deps),
          ]
          const seen = new Map<string, { readonly call: Call; readonly endsAtMs: number }[]>()
          const run = compose<number, string>(filters, (call) => {
            const made = seen.get(call.id) ?? []
            seen.set(call.id, made)
            const { scripts } = courses[Number(call.id)]!
            const { afterMs, end } = scripts[made.length % scripts.length]!
            made.push({ call, endsAtMs: clock.monotonicMs() + afterMs })
            return new Promise((resolve, reject) => {
              if (afterMs === Number.POSITIVE_INFINITY) return
              const failure = new PosthasteError(end === 'notFound' ? 'NOT_FOUND' : 'UNAVAILABLE', call.id)
              clock.setTimer(afterMs, () => (end === 'value' ? resolve(call.id) : reject(failure)))
            })
          })
          const outcomes: { readonly id: string; readonly with: unknown; readonly afterMs: number }[] = []
          for (const [index, { gapMs }] of courses.entries()) {
            const id = String(index)
            const begunAtMs = clock.monotonicMs()
            const ended = (outcome: unknown): void =>
              void outcomes.push({ id, with: outcome, afterMs: clock.monotonicMs() - begunAtMs })
            const call = createCall({ kind: 'request', target: 't', id, payload: 1, idempotent: true })
            void Promise.resolve(run(call)).then(ended, ended)
            await clock.advance(gapMs)
          }
          await clock.advance(2 * totalMs)
          expect(outcomes.map(({ id }) => id).sort()).toEqual(courses.map((_, index) => String(index)).sort())
          for (const { id, with: outcome, afterMs } of outcomes) {
            expect(afterMs).toBeLessThanOrEqual(totalMs + tickMs)
            const made = seen.get(id) ?? []
            expect(made.length).toBeLessThanOrEqual(attempts.retry * attempts.hedge)
            if (outcome instanceof PosthasteError)
              expect(outcome.message).toMatch(outcome.code === 'DEADLINE_EXCEEDED' ? 't: ' : id)
            else expect(outcome).toBe(id)
            // Whatever never ends by itself was told to.
            for (const { call, endsAtMs } of made) {
              if (endsAtMs === Number.POSITIVE_INFINITY) expect(call.cancellation.reason).toBeDefined()
            }
          }
          expect(clock.pending()).toBe(0)
        },
      ),
      { numRuns: 100 },
    )
  })
})
