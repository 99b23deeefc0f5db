import fc from 'fast-check'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { DueQueue } from './due-queue.ts'

function started() {
  const clock = manualClock(0)
  const due: number[] = []
  const queue = new DueQueue<number>(clock, (items) => due.push(...items))
  return { clock, due, queue }
}

describe('DueQueue', () => {
  it('agrees with a sorted list, whatever is added and however time goes by', async () => {
    const steps = fc.array(
      fc.oneof(fc.record({ addInMs: fc.integer({ min: -5, max: 200_000 }) }), fc.record({ goMs: fc.nat(90_000) })),
      {
        maxLength: 40,
      },
    )
    await fc.assert(
      fc.asyncProperty(steps, async (program) => {
        const { clock, due, queue } = started()
        const waiting: number[] = []
        for (const step of program) {
          if ('addInMs' in step) {
            const atMs = clock.nowMs() + step.addInMs
            waiting.push(atMs)
            queue.add(atMs, atMs)
          } else {
            await clock.advance(step.goMs)
            const gone = waiting.filter((atMs) => atMs <= clock.nowMs()).sort((a, b) => a - b)
            expect(due.splice(0)).toEqual(gone)
            waiting.splice(0, waiting.length, ...waiting.filter((atMs) => atMs > clock.nowMs()))
            expect(queue.size).toBe(waiting.length)
          }
          expect(clock.pending()).toBeLessThanOrEqual(1)
        }
      }),
      { numRuns: 50 },
    )
  })

  it('gives back in order of time what was added in any', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.integer({ min: 1, max: 50_000 }), { maxLength: 60 }), async (times) => {
        const { clock, due, queue } = started()
        for (const atMs of times) queue.add(atMs, atMs)
        clock.jump(50_000)
        await clock.advance(60_000)
        expect(due).toEqual([...times].sort((a, b) => a - b))
      }),
    )
  })

  it('notices a leap of the wall clock within a minute, and one back', async () => {
    const { clock, due, queue } = started()
    queue.add(10 * 3_600_000, 1)
    clock.jump(11 * 3_600_000)
    await clock.advance(60_000)
    expect(due).toEqual([1])
    queue.add(clock.nowMs() + 1_000, 2)
    clock.jump(-5_000)
    await clock.advance(1_000)
    expect(due).toEqual([1])
    await clock.advance(5_000)
    expect(due).toEqual([1, 2])
  })

  it('forgets everything when it is closed', async () => {
    const { clock, due, queue } = started()
    queue.add(100, 1)
    queue.clear()
    expect([queue.size, clock.pending()]).toEqual([0, 0])
    await clock.advance(1_000)
    expect(due).toEqual([])
  })
})
