import { describe, expect, it } from 'vitest'
import { seededRandom } from './random.ts'
import { Timeline } from './timeline.ts'

describe('the timeline', () => {
  it('lets events happen in the order of their times, and of being set where these are equal', async () => {
    const timeline = new Timeline()
    const random = seededRandom(1, 'times')
    const happened: { readonly atMs: number; readonly order: number }[] = []
    for (let order = 0; order < 500; order++) {
      const atMs = Math.floor(random() * 50)
      timeline.setTimer(atMs, () => {
        expect(timeline.elapsedMs).toBe(atMs)
        happened.push({ atMs, order })
      })
    }
    await timeline.runUntil(100)
    expect(happened).toHaveLength(500)
    expect(happened).toEqual(happened.toSorted((a, b) => a.atMs - b.atMs || a.order - b.order))
    expect(timeline.elapsedMs).toBe(100)
  })

  it('waits for promises between two events, however long their chain, and for what these set', async () => {
    const timeline = new Timeline()
    const notes: string[] = []
    const chain = async (): Promise<void> => {
      for (let link = 0; link < 100; link++) await undefined
      notes.push('promised')
      timeline.setTimer(0, () => notes.push('set by it'))
    }
    timeline.setTimer(10, () => void chain())
    timeline.setTimer(11, () => notes.push('later'))
    await timeline.runUntil(11)
    expect(notes).toEqual(['promised', 'set by it', 'later'])
  })

  it('lets nothing happen that was cancelled, nor what is due after its end', async () => {
    const timeline = new Timeline()
    const notes: string[] = []
    timeline.setTimer(5, () => notes.push('cancelled')).cancel()
    timeline.setTimer(21, () => notes.push('after the end'))
    await timeline.runUntil(20)
    expect(notes).toEqual([])
    await timeline.runUntil(30)
    expect(notes).toEqual(['after the end'])
  })

  it('is a clock whose two times move together', async () => {
    const timeline = new Timeline()
    const [wallMs, monotonicMs] = [timeline.nowMs(), timeline.monotonicMs()]
    await timeline.runUntil(250)
    expect([timeline.nowMs() - wallMs, timeline.monotonicMs() - monotonicMs]).toEqual([250, 250])
  })
})
