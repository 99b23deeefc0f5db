import type { OutgoingRecord } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { kinds, Noted, Ordered, recordOf, scriptedRig } from '../../../test/bus/rig.ts'
import { filterDeps, filterSlot } from '../../pipeline/stack.ts'
import { idempotency } from '../../resilience/idempotency/idempotency.ts'
import { memoryIdempotency } from '../../resilience/idempotency/memory-store.ts'
import { rateLimit } from '../../resilience/rate-limit/rate-limit.ts'
import type { SubscribeOptions } from './options.ts'

const body = new TextEncoder().encode('{"key":"a","n":1}')

function setUp() {
  const rig = scriptedRig()
  const deps = filterDeps({ clock: rig.clock, target: 'warehouse' })
  const filter = idempotency({ store: memoryIdempotency({}, rig.clock) }, deps)
  const stack: SubscribeOptions['stack'] = (editor) => editor.insertBefore('timeout', filterSlot(filter))
  /** Promises of WebCrypto end on another thread. */
  const settled = async (count: number): Promise<void> => {
    while (rig.engine.subscription.settlements.length < count) await new Promise((resolve) => setImmediate(resolve))
  }
  return { ...rig, deps, stack, settled }
}

describe('idempotency around a handler', () => {
  it('handles a message once, and publishes the same again when it comes again', async () => {
    const { bus, engine, stack, settled } = setUp()
    let handled = 0
    bus.on(Ordered, { group: 'points', stack }, async (_, context) => {
      handled += 1
      await context.publish(Noted, { n: 5 })
    })
    await bus.start()
    const record = recordOf({ id: 'm1', channel: 'shop.ordered', body })
    engine.subscription.deliver({ record })
    await settled(1)
    engine.subscription.deliver({ record, attempt: 2 })
    await settled(2)
    expect(handled).toBe(1)
    const [first, second] = engine.subscription.settlements.map((each) => each.kind === 'ack' && each.publish)
    expect(first).toMatchObject([{ channel: 'shop.noted' } satisfies Partial<OutgoingRecord>])
    expect(second).toEqual(first)
  })

  it('is refused for batches, which one key does not stand for', () => {
    const { bus, stack } = setUp()
    expect(() => bus.onBatch(Ordered, { group: 'points', stack }, () => {})).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [{ path: 'shop.ordered.idempotency', message: expect.stringContaining('one message at a time') }],
      }),
    )
  })
})

describe('a rate around a handler', () => {
  it('sends to the dead letters what costs more than ever comes at once, instead of round and round', async () => {
    const { bus, engine, deps, clock } = setUp()
    const filter = rateLimit({ rate: 1, burst: 2, units: () => 3 }, deps)
    const stack: SubscribeOptions['stack'] = (editor) => editor.replace('rateLimit', filterSlot(filter))
    bus.on(Ordered, { group: 'points', stack }, () => {})
    await bus.start()
    engine.subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(10)
    expect(kinds(engine.subscription.settlements)).toEqual(['1 publish'])
  })
})
