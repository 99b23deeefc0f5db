import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { Agenda } from './agenda.ts'

function started() {
  const clock = manualClock()
  const agenda = new Agenda()
  agenda.start(clock)
  const kept: string[] = []
  const add = (inMs: number, name: string) => agenda.add(clock.nowMs() + inMs, () => kept.push(name))
  return { clock, agenda, kept, add }
}

describe('Agenda', () => {
  it('keeps appointments at their times, in their order, with one timer for all of them', async () => {
    const { clock, kept, add } = started()
    add(300, 'c')
    add(100, 'a')
    add(200, 'b')
    expect(clock.pending()).toBe(1)
    await clock.advance(99)
    expect(kept).toEqual([])
    await clock.advance(1)
    expect(kept).toEqual(['a'])
    await clock.advance(200)
    expect(kept).toEqual(['a', 'b', 'c'])
    expect(clock.pending()).toBe(0)
  })

  it('does not keep an appointment that was removed', async () => {
    const { clock, agenda, kept, add } = started()
    const gone = add(100, 'gone')
    add(200, 'kept')
    agenda.remove(gone)
    await clock.advance(200)
    expect(kept).toEqual(['kept'])
  })

  it('keeps none of several that were removed together', async () => {
    const { clock, agenda, kept, add } = started()
    const gone = new Set([add(100, 'gone'), add(300, 'gone too')])
    add(200, 'kept')
    agenda.removeAll(gone)
    await clock.advance(300)
    expect(kept).toEqual(['kept'])
  })

  it('keeps appointments that are made while others are kept', async () => {
    const { clock, agenda, kept, add } = started()
    agenda.add(clock.nowMs() + 100, () => {
      add(0, 'at once')
      add(50, 'later')
    })
    await clock.advance(100)
    expect(kept).toEqual(['at once'])
    await clock.advance(50)
    expect(kept).toEqual(['at once', 'later'])
  })

  it('goes by the wall clock: set back, it waits for the time to come; set forth, it notices within a minute', async () => {
    const { clock, kept, add } = started()
    add(1_000, 'later')
    clock.jump(-10_000)
    await clock.advance(10_999)
    expect(kept).toEqual([])
    await clock.advance(1)
    expect(kept).toEqual(['later'])
    add(86_400_000, 'tomorrow')
    clock.jump(86_400_000)
    await clock.advance(60_000)
    expect(kept).toEqual(['later', 'tomorrow'])
  })

  it('sets no timer while it is stopped, and keeps what fell due meanwhile when it starts again', async () => {
    const { clock, agenda, kept, add } = started()
    add(100, 'overdue')
    agenda.stop()
    add(200, 'later')
    expect(clock.pending()).toBe(0)
    await clock.advance(150)
    expect(kept).toEqual([])
    agenda.start(clock)
    await clock.advance(0)
    expect(kept).toEqual(['overdue'])
    await clock.advance(50)
    expect(kept).toEqual(['overdue', 'later'])
  })
})
