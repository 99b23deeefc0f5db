import { EventEmitter } from 'node:events'
import { manualClock } from 'posthaste/testing'
import type { Channel } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import { onGone, timely, within } from './timely.ts'

/** A channel whose client waits for answers that the test gives or does not. */
function channelWith(answers: { readonly toClose?: Promise<void>; readonly toAsk?: Promise<unknown> }) {
  const clock = manualClock()
  const closes: boolean[] = []
  const channel = Object.assign(new EventEmitter(), {
    active: true,
    close: async () => {
      closes.push(true)
      channel.active = false
      await answers.toClose
    },
    _invoke: async (..._question: readonly unknown[]): Promise<unknown> => answers.toAsk,
  })
  const subject = timely(channel as unknown as Channel, { clock, timeoutMs: 1_000 })
  const gone: boolean[] = []
  onGone(subject, () => gone.push(true))
  return { clock, channel, closes, subject, gone }
}

const never = new Promise<void>(() => {})

describe('closing a channel', () => {
  it('ends when the client says so', async () => {
    const { subject, closes } = channelWith({})
    await subject.close()
    expect(closes).toHaveLength(1)
  })

  it('ends with the channel, though the client waits on', async () => {
    const { channel, subject, gone } = channelWith({ toClose: never })
    const closing = subject.close()
    channel.emit('close')
    expect(await closing).toBeUndefined()
    expect(gone).toEqual([true])
  })

  it('ends after a while, though nobody says so', async () => {
    const { clock, subject } = channelWith({ toClose: never })
    const closing = subject.close()
    await clock.advance(1_000)
    expect(await closing).toBeUndefined()
  })

  it('does nothing to one that is closed', async () => {
    const { channel, subject, closes } = channelWith({ toClose: never })
    channel.active = false
    expect(await subject.close()).toBeUndefined()
    expect(closes).toHaveLength(0)
  })
})

describe('asking over a channel', () => {
  it('gives the answer', async () => {
    const { channel, gone } = channelWith({ toAsk: Promise.resolve(7) })
    expect(await channel._invoke('what')).toBe(7)
    expect(gone).toEqual([])
  })

  it('tells what the server objects to', async () => {
    const { channel } = channelWith({ toAsk: Promise.reject(new Error('no')) })
    await expect(channel._invoke('what')).rejects.toThrow('no')
  })

  it('gives the channel up when there is no answer, once, and says so', async () => {
    const { clock, channel, closes, subject, gone } = channelWith({ toAsk: never, toClose: never })
    const asked = Promise.allSettled([channel._invoke('what'), channel._invoke('what else')])
    await clock.advance(1_000)
    expect(await asked).toMatchObject([{ reason: { code: 'UNAVAILABLE' } }, { reason: { code: 'UNAVAILABLE' } }])
    expect(channel.active).toBe(false)
    channel.emit('close')
    expect(gone).toEqual([true])
    await subject.close()
    expect(closes).toHaveLength(1)
  })
})

describe('waiting', () => {
  it('leaves no timer behind', async () => {
    const clock = manualClock()
    expect(await within({ clock, timeoutMs: 5 }, 'it', Promise.resolve(1))).toBe(1)
    await clock.advance(5)
    await expect(within({ clock, timeoutMs: -1 }, 'it', Promise.reject(new Error('no')))).rejects.toThrow('no')
  })
})
