import { describe, expect, it } from 'vitest'
import { manualClock } from './manual-clock.ts'

describe('the manual clock', () => {
  it('stands until it is moved, and moves both times', async () => {
    const clock = manualClock(5_000)
    const startMs = clock.monotonicMs()
    expect(clock.nowMs()).toBe(5_000)
    await clock.advance(250)
    expect(clock.nowMs()).toBe(5_250)
    expect(clock.monotonicMs() - startMs).toBe(250)
  })

  it('fires timers in the order of their due times, each at its own time', async () => {
    const clock = manualClock(0)
    const fired: [string, number][] = []
    const note = (name: string) => () => fired.push([name, clock.nowMs()])
    clock.setTimer(30, note('c'))
    clock.setTimer(10, note('a'))
    clock.setTimer(10, note('b'))
    clock.setTimer(31, note('d'))
    await clock.advance(30)
    expect(fired).toEqual([
      ['a', 10],
      ['b', 10],
      ['c', 30],
    ])
    expect(clock.pending()).toBe(1)
  })

  it('fires timers that fired timers set, when they are due in the same stretch', async () => {
    const clock = manualClock(0)
    const fired: number[] = []
    const again = (): void => {
      fired.push(clock.nowMs())
      clock.setTimer(10, again)
    }
    clock.setTimer(10, again)
    await clock.advance(35)
    expect(fired).toEqual([10, 20, 30])
  })

  it('lets promises go on between two timers, however long their chain', async () => {
    const clock = manualClock()
    const notes: string[] = []
    clock.setTimer(10, async () => {
      for (let i = 0; i < 100; i++) await undefined
      notes.push('chain')
    })
    clock.setTimer(11, () => notes.push('timer'))
    await clock.advance(20)
    expect(notes).toEqual(['chain', 'timer'])
  })

  it('lets promises go on before it moves', async () => {
    const clock = manualClock(0)
    const fired: number[] = []
    void Promise.resolve().then(() => clock.setTimer(10, () => fired.push(clock.nowMs())))
    await clock.advance(10)
    expect(fired).toEqual([10])
  })

  it('does not fire a timer that was cancelled', async () => {
    const clock = manualClock()
    let fired = 0
    clock.setTimer(10, () => fired++).cancel()
    clock.setTimer(5, () => second.cancel())
    const second = clock.setTimer(6, () => fired++)
    await clock.advance(20)
    expect(fired).toBe(0)
    expect(clock.pending()).toBe(0)
  })

  it('jumps with the wall clock alone', () => {
    const clock = manualClock(1_000)
    const monotonicMs = clock.monotonicMs()
    clock.jump(-400)
    expect(clock.nowMs()).toBe(600)
    expect(clock.monotonicMs()).toBe(monotonicMs)
  })
})
