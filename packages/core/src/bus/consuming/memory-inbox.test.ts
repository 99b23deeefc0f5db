import type { InboxEntry } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { gate } from '../../../test/bus/rig.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { memoryInbox } from './memory-inbox.ts'

const entry = (id: string, more: Partial<InboxEntry> = {}): InboxEntry => {
  return { channel: 'shop.noted', group: 'points', id, windowMs: 1_000, ...more }
}

describe('an inbox in memory', () => {
  it('has work done once, and answers what came of it', async () => {
    const inbox = memoryInbox()
    const work = vi.fn(() => 42)
    expect(await inbox.once(entry('m1'), work)).toEqual({ done: true, result: 42 })
    expect(await inbox.once(entry('m1'), work)).toEqual({ done: false })
    expect(work).toHaveBeenCalledExactlyOnceWith(undefined)
  })

  it('tells messages apart by channel, group and id', async () => {
    const inbox = memoryInbox()
    const entries = [entry('m1'), entry('m2'), entry('m1', { group: 'mail' }), entry('m1', { channel: 'shop.ordered' })]
    for (const one of entries) expect((await inbox.once(one, () => 1)).done).toBe(true)
  })

  it('remembers nothing of what failed, whether it threw or rejected', async () => {
    const inbox = memoryInbox()
    const failing = () => {
      throw new Error('no')
    }
    await expect(inbox.once(entry('m1'), failing)).rejects.toThrow('no')
    await expect(inbox.once(entry('m1'), () => Promise.reject(new Error('later')))).rejects.toThrow('later')
    expect((await inbox.once(entry('m1'), () => 1)).done).toBe(true)
  })

  it('has the second of two wait for the first, and do the work where that failed', async () => {
    const inbox = memoryInbox()
    const [first, second] = [gate(), gate()]
    const order: string[] = []
    const one = inbox.once(entry('m1'), async () => {
      order.push('one')
      await first.promise
    })
    const two = inbox.once(entry('m1'), async () => {
      order.push('two')
      await second.promise
    })
    const three = inbox.once(entry('m1'), () => order.push('three'))
    await Promise.resolve()
    expect(order).toEqual(['one'])
    first.fail(new Error('no'))
    await expect(one).rejects.toThrow('no')
    await vi.waitFor(() => expect(order).toEqual(['one', 'two']))
    second.open()
    expect((await two).done).toBe(true)
    expect((await three).done).toBe(false)
  })

  it('forgets when the window is over', async () => {
    const clock = manualClock()
    const inbox = memoryInbox({ clock })
    await inbox.once(entry('m1'), () => 1)
    await clock.advance(999)
    expect((await inbox.once(entry('m1'), () => 1)).done).toBe(false)
    await clock.advance(1)
    expect((await inbox.once(entry('m1'), () => 1)).done).toBe(true)
  })

  it('forgets the oldest when it is full', async () => {
    const inbox = memoryInbox({ entriesMax: 2 })
    for (const id of ['m1', 'm2', 'm3']) await inbox.once(entry(id), () => 1)
    expect((await inbox.once(entry('m3'), () => 1)).done).toBe(false)
    expect((await inbox.once(entry('m2'), () => 1)).done).toBe(false)
    expect((await inbox.once(entry('m1'), () => 1)).done).toBe(true)
  })

  it('refuses options with every mistake at once', () => {
    expect(() => memoryInbox({ entriesMax: 0, clock: 7, size: 1 } as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['size', 'entriesMax', 'clock'].map((name) => expect.objectContaining({ path: `memoryInbox.${name}` })),
      }),
    )
  })
})
