import { type Filter, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { kinds, ordered } from '../../../test/bus/rig.ts'
import { filterSlot } from '../../pipeline/stack.ts'
import type { SubscribeOptions } from './options.ts'

describe('a breaker', () => {
  it('that opens pauses the consumer: nothing is begun, granted or sent round in circles, until it closes', async () => {
    let healthy = false
    const handler = vi.fn(async () => {
      if (!healthy) throw new Error('database down')
    })
    const breaker = { callsMin: 5, failurePercent: 50, openMs: 30_000 }
    const { subscription, clock, bus } = await ordered(handler, { breaker, concurrency: 1, prefetch: 20 })
    subscription.deliver(...Array.from({ length: 20 }, (_, n) => ({ key: `k${n}`, n })))
    await clock.advance(5_000)
    const calls = handler.mock.calls.length
    const { credit } = subscription
    expect(calls).toBeLessThan(12)
    // What the last failures have settled is withheld.
    expect(credit).toBeLessThan(20 + calls)
    await clock.advance(5_000)
    expect(handler).toHaveBeenCalledTimes(calls)
    expect(subscription.credit).toBe(credit)
    expect(kinds(subscription.settlements)).toHaveLength(calls)
    healthy = true
    await clock.advance(120_000)
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 0, handedBack: 0, unsettled: 0 })
    expect(subscription.credit).toBe(40)
  })
})

describe('a filter that takes no calls for now', () => {
  it('is asked again after a second at most, in case it recovers early', async () => {
    let notReadyMs = 60_000
    const filter: Filter = {
      role: 'gatekeeper',
      describe: () => ({ role: 'gatekeeper' }),
      apply: (call, next) => next(call),
      notReadyForMs: () => notReadyMs,
    }
    const { subscription, clock } = await ordered(() => {}, {
      stack: (editor) => editor.insertAfter('timeout', filterSlot(filter)),
    })
    expect(subscription.grants).toEqual([])
    notReadyMs = 0
    await clock.advance(1_020)
    expect(subscription.grants).toEqual([256])
  })
})

describe('a filter that refuses', () => {
  const refusing = (error: PosthasteError): SubscribeOptions['stack'] => {
    const filter: Filter = {
      role: 'gatekeeper',
      describe: () => ({ role: 'gatekeeper' }),
      apply() {
        throw error
      },
    }
    return (editor) => editor.insertAfter('timeout', filterSlot(filter))
  }

  it('sends the message back uncounted and later, and its key with it', async () => {
    const handler = vi.fn()
    const stack = refusing(new PosthasteError('OVERLOADED', 'full', { retryAfterMs: 700 }))
    const { subscription, clock, bus } = await ordered(handler, { stack })
    const atMs = clock.nowMs()
    subscription.deliver({ key: 'a', n: 1 }, { key: 'a', n: 2 })
    await clock.advance(0)
    expect(subscription.settlements).toEqual([
      { kind: 'release', tag: 1, countsAttempt: false, visibleAtMs: atMs + 700, holdKey: true },
      { kind: 'release', tag: 2, countsAttempt: false, holdKey: false },
    ])
    expect(handler).not.toHaveBeenCalled()
    expect(bus.stats()[0]).toMatchObject({ handedBack: 2, retried: 0 })
  })

  it('by any other error is a failure like any other', async () => {
    const { subscription, clock } = await ordered(() => {}, {
      stack: refusing(new PosthasteError('PERMISSION_DENIED', 'no')),
    })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 publish'])
  })

  it('is not meant where the handler itself was refused by something else', async () => {
    const { subscription, clock } = await ordered(() => {
      throw new PosthasteError('BREAKER_OPEN', 'inventory is down', { retryAfterMs: 700 })
    })
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(subscription.settlements).toMatchObject([{ countsAttempt: true, visibleAtMs: clock.nowMs() + 700 }])
  })

  it('after the handler has failed only ends the attempts: the attempt counts, for the handler’s reason', async () => {
    let refuse = false
    const filter: Filter = {
      role: 'gatekeeper',
      describe: () => ({ role: 'gatekeeper' }),
      apply(call, next) {
        if (refuse) throw new PosthasteError('BREAKER_OPEN', 'open now')
        refuse = true
        return next(call)
      },
    }
    const { subscription, clock } = await ordered(
      () => {
        throw new Error('no')
      },
      { retry: { immediate: 1, delayed: 0 }, stack: (editor) => editor.insertAfter('timeout', filterSlot(filter)) },
    )
    subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(500)
    expect(JSON.stringify(subscription.settlements)).toContain('HANDLER_FAILED')
    expect(kinds(subscription.settlements)).toEqual(['1 publish'])
  })
})
