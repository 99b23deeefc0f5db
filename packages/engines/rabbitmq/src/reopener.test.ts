import type { PosthasteError } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Link } from './link.ts'
import { Reopener } from './reopener.ts'

/** A connection that is always there. */
const link = { up: async () => {} } as unknown as Link

function reopener(open: (attempt: number) => Promise<void>) {
  const clock = manualClock()
  const hopeless: PosthasteError[] = []
  let attempts = 0
  const subject = new Reopener(
    { link, clock, random: () => 0.5 },
    () => open(++attempts),
    (cause) => hopeless.push(cause),
  )
  return { subject, clock, hopeless, attempts: () => attempts }
}

const turns = () => new Promise((resolve) => setImmediate(resolve))

describe('opening again', () => {
  it('waits a little longer after each failure, and ends with success', async () => {
    const { subject, clock, attempts } = reopener(async (attempt) => {
      if (attempt < 3) throw new Error('not yet')
    })
    subject.again()
    await turns()
    expect(attempts()).toBe(1)
    await clock.advance(60)
    expect(attempts()).toBe(2)
    await clock.advance(120)
    expect(attempts()).toBe(3)
    await clock.advance(60_000)
    expect(attempts()).toBe(3)
  })

  it('notices what was lost while it was being opened', async () => {
    const { subject, attempts } = reopener(async (attempt) => {
      if (attempt === 1) subject.again()
    })
    subject.again()
    await turns()
    expect(attempts()).toBe(2)
  })

  it('gives up what is gone, with the cause', async () => {
    const { subject, hopeless, attempts } = reopener(async () => {
      throw Object.assign(new Error('no queue'), { code: 'NOT_FOUND' })
    })
    subject.again()
    await turns()
    expect(hopeless).toMatchObject([{ code: 'NOT_FOUND' }])
    expect(attempts()).toBe(1)
  })

  it('ends when it is stopped, also in the midst of waiting', async () => {
    const { subject, clock, attempts } = reopener(async () => {
      throw new Error('never')
    })
    subject.again()
    await turns()
    subject.stop()
    await clock.advance(60_000)
    subject.again()
    await turns()
    expect(attempts()).toBe(1)
  })
})
