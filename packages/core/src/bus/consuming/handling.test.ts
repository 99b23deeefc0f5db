import { type AckSettlement, event, ignore, PosthasteError, reject, retryLater } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { errorOf, gate, kinds, Noted, Ordered, recordOf, scriptedRig } from '../../../test/bus/rig.ts'
import { derivedId } from '../publishing/derived-ids.ts'
import type { MessageContext } from './context.ts'
import type { SubscribeOptions } from './options.ts'

type Handler = (data: { n: number }, context: MessageContext) => unknown

/** A started bus with one handler of `shop.noted`, whose failures go to the ladder at once. */
async function handled(handler: Handler, options: Partial<SubscribeOptions> = {}) {
  const rig = scriptedRig()
  rig.bus.on(Noted, { group: 'points', retry: { immediate: 0 }, ...options }, handler)
  await rig.bus.start()
  return { ...rig, subscription: rig.engine.subscription }
}

/** What became of one delivery. */
async function outcomeOf(handler: Handler, options: Partial<SubscribeOptions> = {}) {
  const rig = await handled(handler, options)
  rig.subscription.deliver({ n: 1 })
  await rig.clock.advance(0)
  return { ...rig, settlement: rig.subscription.settlements[0] }
}

function deadLetterOf(settlement: unknown) {
  return (settlement as AckSettlement | undefined)?.publish?.[0]
}

describe('a handler', () => {
  it('receives what the schema made of the body', async () => {
    const Defaulted = event('shop.defaulted', {
      data: z.object({ n: z.coerce.number(), unit: z.string().default('kg') }),
    })
    const { bus, engine, clock } = scriptedRig()
    const seen: unknown[] = []
    bus.on(Defaulted, { group: 'points' }, (data) => seen.push(data))
    await bus.start()
    engine.subscription.deliver({ body: '{"n":"7"}' })
    await clock.advance(0)
    expect(seen).toEqual([{ n: 7, unit: 'kg' }])
  })

  it('is told what the message says of itself', async () => {
    const headers = { ...recordOf({}).headers, causationid: 'm0', tenant: 't1' }
    const contexts: MessageContext[] = []
    const { subscription, clock } = await handled((_, context) => contexts.push(context))
    subscription.deliver({ record: recordOf({ id: 'x', key: 'k', headers }), storedAtMs: 5 })
    await clock.advance(0)
    const [context] = contexts
    expect(context).toMatchObject({
      id: 'x',
      type: 'shop.noted',
      source: '/elsewhere',
      time: '2026-01-01T00:00:00.000Z',
      key: 'k',
      correlationId: 'c1',
      causationId: 'm0',
      headers,
      group: 'points',
      attempt: 1,
      storedAtMs: 5,
      deadlineAtMs: Number.POSITIVE_INFINITY,
    })
    expect(context!.signal.aborted).toBe(false)
  })

  it('is told the least where the message says nothing', async () => {
    const contexts: MessageContext[] = []
    const { subscription, clock } = await handled((_, context) => contexts.push(context))
    subscription.deliver({ record: recordOf({ id: 'x', headers: {} }) })
    await clock.advance(0)
    expect(contexts[0]).toMatchObject({
      type: 'shop.noted',
      source: '',
      time: undefined,
      correlationId: 'x',
      causationId: undefined,
    })
  })

  it('may be synchronous or not, and answer anything', async () => {
    for (const handler of [() => {}, async () => 'stored', () => ({ rows: 1 }), () => Promise.resolve(null)]) {
      expect((await outcomeOf(handler)).settlement).toEqual({ kind: 'ack', tag: 1, publish: undefined })
    }
  })

  it('runs outside of the engine’s call', async () => {
    const handler = vi.fn()
    const { subscription, clock } = await handled(handler)
    subscription.deliver({ n: 1 })
    expect(handler).not.toHaveBeenCalled()
    await clock.advance(0)
    expect(handler).toHaveBeenCalledOnce()
  })
})

describe('a failure', () => {
  const throwing =
    (thrown: unknown): Handler =>
    () => {
      throw thrown
    }
  const rejecting =
    (thrown: unknown): Handler =>
    async () => {
      throw thrown
    }
  const unprintable = new Proxy(
    {},
    {
      has: () => {
        throw new Error('do not look')
      },
    },
  )

  it.each([
    ['throws an error', throwing(new Error('no'))],
    ['rejects with an error', rejecting(new Error('no'))],
    ['throws undefined', throwing(undefined)],
    ['rejects with undefined', rejecting(undefined)],
    ['throws null', throwing(null)],
    ['throws text', throwing('no')],
    ['throws what cannot be looked at', throwing(unprintable)],
    ['rejects with what cannot be looked at', rejecting(unprintable)],
    ['throws that it was cancelled, which it was not', throwing(new PosthasteError('CANCELLED', 'by somebody'))],
    [
      'answers with something whose then throws',
      () => Object.defineProperty({}, 'then', { get: throwing(1) as () => unknown }),
    ],
  ])('is tried again when the handler %s', async (_, handler) => {
    const { settlement, bus, clock } = await outcomeOf(handler)
    expect(settlement).toEqual({
      kind: 'release',
      tag: 1,
      countsAttempt: true,
      visibleAtMs: clock.nowMs() + 250,
      holdKey: false,
    })
    expect(bus.stats()[0]).toMatchObject({ retried: 1, running: 0, unsettled: 0 })
  })

  it.each([
    ['thrown', throwing(reject('no such order'))],
    ['rejected with', rejecting(reject('no such order'))],
    ['returned', () => reject('no such order')],
    ['resolved with', async () => reject('no such order')],
  ])('is final when a rejection is %s', async (_, handler) => {
    const { settlement, bus } = await outcomeOf(handler)
    expect(deadLetterOf(settlement)?.headers).toMatchObject({ dlcode: 'HANDLER_REJECTED', dlmessage: 'no such order' })
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 1, acked: 0 })
  })

  it.each([
    ['thrown', throwing(ignore('seen before'))],
    ['returned', async () => ignore('seen before')],
  ])('is none when the handler’s wish to ignore is %s', async (_, handler) => {
    const { settlement, bus } = await outcomeOf(handler)
    expect(settlement).toEqual({ kind: 'ack', tag: 1, publish: undefined })
    expect(bus.stats()[0]).toMatchObject({ ignored: 1, acked: 0 })
  })

  it('believes the verdict that any error brings', async () => {
    const permanent = Object.assign(new Error('bad'), { verdict: 'permanent' })
    const { settlement } = await outcomeOf(throwing(permanent))
    expect(deadLetterOf(settlement)?.headers).toMatchObject({ dlcode: 'HANDLER_FAILED' })
  })

  it('waits as long as the handler asks for', async () => {
    const { settlement, clock } = await outcomeOf(() => retryLater('not yet', { afterMs: 90_000 }))
    expect(settlement).toMatchObject({ countsAttempt: true, visibleAtMs: clock.nowMs() + 90_000 })
  })

  it('of a key holds the key', async () => {
    const { bus, engine, clock } = scriptedRig()
    bus.on(Ordered, { group: 'points', retry: { immediate: 0 } }, throwing(1) as never)
    await bus.start()
    engine.subscription.deliver({ key: 'a', n: 1 })
    await clock.advance(0)
    expect(engine.subscription.settlements).toMatchObject([{ kind: 'release', holdKey: true }])
  })

  it('is a time that is up', async () => {
    const { subscription, clock } = await handled(() => new Promise(() => {}), { timeoutMs: 100 })
    subscription.deliver({ n: 1 })
    await clock.advance(200)
    expect(subscription.settlements).toMatchObject([{ kind: 'release', countsAttempt: true }])
  })
})

describe('what cannot be read', () => {
  it.each([
    ['a body that is not JSON', { body: '{"n":' }, 'BODY_MALFORMED'],
    ['a body of another format', { record: recordOf({ headers: { datacontenttype: 'text/xml' } }) }, 'BODY_MALFORMED'],
    ['data that does not fit', { body: '{"n":"x"}' }, 'PAYLOAD_INVALID'],
    [
      'no data where there should be some',
      { record: recordOf({ headers: {}, body: new Uint8Array() }) },
      'PAYLOAD_INVALID',
    ],
  ])('%s goes to the dead letters without a handler', async (_, delivery, code) => {
    const handler = vi.fn()
    const { subscription, clock } = await handled(handler)
    subscription.deliver(delivery)
    await clock.advance(0)
    expect(handler).not.toHaveBeenCalled()
    expect(deadLetterOf(subscription.settlements[0])?.headers.dlcode).toBe(code)
  })

  it('names the same issues as publishing does', async () => {
    const { subscription, clock, bus } = await handled(() => {})
    subscription.deliver({ body: '{"n":"x"}' })
    await clock.advance(0)
    const { issues } = await errorOf(bus.publish(Noted, { n: 'x' } as never))
    expect(JSON.parse(deadLetterOf(subscription.settlements[0])!.headers.dlissues!)).toEqual(issues)
  })

  it('is also what an asynchronous schema refuses, or throws', async () => {
    const seen: string[] = []
    const refusals = [async () => ({ issues: [{ message: 'no' }] }), async () => Promise.reject(new Error('oops'))]
    for (const validate of refusals) {
      const Slow = event('shop.slow', { data: { '~standard': { version: 1, vendor: 'test', validate } } })
      const { bus, engine, clock } = scriptedRig()
      bus.on(Slow, { group: 'points' }, () => seen.push('handled'))
      await bus.start()
      engine.subscription.deliver({ n: 1 })
      await clock.advance(0)
      seen.push(deadLetterOf(engine.subscription.settlements[0])!.headers.dlcode!)
    }
    expect(seen).toEqual(['PAYLOAD_INVALID', 'PAYLOAD_INVALID'])
  })

  it('never reaches the handler once it was handed back while an asynchronous schema looked at it', async () => {
    const checked = Promise.withResolvers<{ value: unknown }>()
    const data = { '~standard': { version: 1, vendor: 'test', validate: () => checked.promise } } as const
    const { bus, engine, clock } = scriptedRig()
    const handler = vi.fn()
    bus.on(event('shop.slow', { data }), { group: 'points' }, handler)
    await bus.start()
    engine.subscription.deliver({ n: 1 })
    await clock.advance(0)
    const closing = bus.close({ graceMs: 10 })
    await clock.advance(10)
    checked.resolve({ value: 1 })
    await clock.advance(2_000)
    await closing
    expect(kinds(engine.subscription.settlements)).toEqual(['1 hand back'])
    expect(handler).not.toHaveBeenCalled()
  })

  it('is a message that has expired, even if it did so while it waited for its turn', async () => {
    const running = gate()
    const { subscription, clock } = await handled(() => running.promise, { concurrency: 1 })
    const expiresAtMs = clock.nowMs() + 100
    subscription.deliver({ n: 1 }, { record: recordOf({ id: 'x', expiresAtMs }) })
    await clock.advance(100)
    running.open()
    await clock.advance(0)
    expect(deadLetterOf(subscription.settlements[1])).toMatchObject({ id: 'x', headers: { dlcode: 'MESSAGE_EXPIRED' } })
  })

  it('is not a message that is just about to expire', async () => {
    const { subscription, clock } = await handled(() => {})
    subscription.deliver({ record: recordOf({ expiresAtMs: clock.nowMs() + 1 }) })
    await clock.advance(0)
    expect(subscription.settlements).toEqual([{ kind: 'ack', tag: 1, publish: undefined }])
  })

  it('is a message that has killed its process too often', async () => {
    const handler = vi.fn()
    const { subscription, clock } = await handled(handler, { retry: { delayed: 5 } })
    subscription.deliver({ attempt: 6 }, { attempt: 7 })
    await clock.advance(0)
    expect(handler).toHaveBeenCalledOnce()
    expect(deadLetterOf(subscription.settlements[1])?.headers).toMatchObject({
      dlcode: 'ATTEMPTS_EXHAUSTED',
      dlattempts: '7',
    })
  })
})

describe('attempts in process', () => {
  it('follow each other after short waits, and count as one delivery', async () => {
    const attempts: number[] = []
    const { subscription, clock } = await handled(
      (_, { attempt }) => {
        attempts.push(attempt)
        throw new Error('no')
      },
      { retry: { immediate: 2 } },
    )
    subscription.deliver({ attempt: 1 }, { attempt: 2 })
    await clock.advance(500)
    expect(attempts.sort()).toEqual([1, 2, 3, 4, 5, 6])
    expect(subscription.settlements.map(({ kind }) => kind)).toEqual(['release', 'release'])
  })

  it('are not rationed: the ladder bounds them already', async () => {
    const handler = vi.fn(() => Promise.reject(new Error('no')))
    const { subscription, clock } = await handled(handler, { retry: { immediate: 2 } })
    subscription.deliver(...Array.from({ length: 200 }, (_, n) => ({ n })))
    await clock.advance(5_000)
    expect(handler).toHaveBeenCalledTimes(600)
  })

  it('end with the first that succeeds', async () => {
    let tries = 0
    const { subscription, clock } = await handled(
      async () => {
        if (++tries < 3) throw new Error('no')
      },
      { retry: {} },
    )
    subscription.deliver({ n: 1 })
    await clock.advance(500)
    expect(tries).toBe(3)
    expect(subscription.settlements).toEqual([{ kind: 'ack', tag: 1, publish: undefined }])
  })

  it('are not made for a handler that asks for a later one', async () => {
    const handler = vi.fn(() => retryLater('not yet', { afterMs: 1 }))
    const { subscription, clock } = await handled(handler, { retry: { immediate: 2 } })
    subscription.deliver({ n: 1 })
    await clock.advance(500)
    expect(handler).toHaveBeenCalledOnce()
  })

  it('each have a signal of their own', async () => {
    const signals: AbortSignal[] = []
    const { subscription, clock } = await handled(
      (_, { signal }) => {
        signals.push(signal)
        return new Promise(() => {})
      },
      { retry: { immediate: 1 }, timeoutMs: 50 },
    )
    subscription.deliver({ n: 1 })
    await clock.advance(90)
    expect(signals.map(({ aborted }) => aborted)).toEqual([true, false])
  })
})

describe('publishing from a handler', () => {
  const publishedBy = (settlement: unknown) => (settlement as AckSettlement).publish ?? []

  it('leaves with the acknowledgement, and not before', async () => {
    const running = gate()
    const { subscription, engine, clock } = await handled(async (_, context) => {
      await context.publish(Ordered, { key: 'a', n: 2 })
      await running.promise
    })
    subscription.deliver({ n: 1 })
    await clock.advance(0)
    expect([engine.records, subscription.settlements]).toEqual([[], []])
    running.open()
    await clock.advance(0)
    expect(engine.records).toEqual([])
    expect(publishedBy(subscription.settlements[0])).toMatchObject([{ channel: 'shop.ordered', key: 'a' }])
  })

  it('names the incoming message as the cause, and keeps the chain’s correlation', async () => {
    const { settlement } = await outcomeOf(async (_, context) => {
      await context.publish(Noted, { n: 1 })
      await context.publish(Noted, { n: 2 }, { correlationId: 'own', id: 'mine' })
    })
    expect(publishedBy(settlement).map(({ headers }) => [headers.causationid, headers.correlationid])).toEqual([
      ['m1', 'c1'],
      ['m1', 'own'],
    ])
    expect(publishedBy(settlement).map(({ id }) => id)).toEqual([derivedId('m1', 'points', 1), 'mine'])
  })

  it('has the same ids when the handling is repeated', async () => {
    const { subscription, clock } = await handled((_, context) => context.publish(Noted, { n: 1 }))
    subscription.deliver({ record: recordOf({ id: 'x' }) }, { record: recordOf({ id: 'x' }), attempt: 2 })
    await clock.advance(0)
    const [first, second] = subscription.settlements.map((settlement) => publishedBy(settlement)[0]!.id)
    expect(first).toBe(second)
  })

  it('vanishes with an attempt that fails, and starts afresh with the next', async () => {
    let tries = 0
    const { subscription, clock } = await handled(
      async (_, context) => {
        tries += 1
        await context.publish(Noted, { n: tries })
        if (tries < 3) throw new Error('no')
      },
      { retry: { immediate: 2 } },
    )
    subscription.deliver({ n: 1 })
    await clock.advance(500)
    expect(publishedBy(subscription.settlements[0]).map(({ body }) => new TextDecoder().decode(body))).toEqual([
      '{"n":3}',
    ])
  })

  it.each([
    [
      'failed',
      () => {
        throw new Error('no')
      },
    ],
    ['was ignored', () => ignore('skip')],
    ['was rejected', () => reject('no')],
  ])('goes nowhere when the message %s', async (_, end) => {
    const { settlement, engine } = await outcomeOf((_data, context) => {
      void context.publish(Noted, { n: 1 }, { id: 'gone' })
      return end()
    })
    expect(engine.records).toEqual([])
    expect(JSON.stringify(settlement)).not.toContain('gone')
  })

  it('fails the attempt when the data is wrong, also where nobody awaits', async () => {
    const { settlement } = await outcomeOf((_, context) => {
      void context.publish(Noted, { n: 'x' } as never)
    })
    expect(deadLetterOf(settlement)?.headers.dlcode).toBe('PAYLOAD_INVALID')
  })

  it('leaves it to the handler what follows from an error that it catches', async () => {
    const { settlement } = await outcomeOf(async (_, context) => {
      await context.publish(Noted, { n: 1 })
      try {
        await context.publish(Noted, { n: 'x' } as never)
      } catch {
        await context.publish(Noted, { n: 2 })
      }
    })
    expect(publishedBy(settlement)).toHaveLength(2)
  })

  it('waits for a schema that takes its time, and keeps the order', async () => {
    const Slow = event('shop.slow', { data: z.any().refine(async (n) => n !== 'bad') })
    const { settlement } = await outcomeOf((_, context) => {
      void context.publish(Slow, 'first')
      void context.publish(Noted, { n: 2 })
    })
    expect(publishedBy(settlement).map(({ channel }) => channel)).toEqual(['shop.slow', 'shop.noted'])
    const failed = await outcomeOf((_, context) => {
      void context.publish(Slow, 'bad')
    })
    expect(deadLetterOf(failed.settlement)?.headers.dlcode).toBe('PAYLOAD_INVALID')
  })

  it('waits until the channel exists', async () => {
    const { engine, subscription, clock } = await handled((_, context) => {
      void context.publish(Ordered, { key: 'a', n: 1 })
    })
    const declaring = gate()
    engine.beforeDeclare = () => declaring.promise
    subscription.deliver({ n: 1 })
    await clock.advance(100)
    expect(subscription.settlements).toEqual([])
    declaring.open()
    await clock.advance(0)
    expect(publishedBy(subscription.settlements[0])).toMatchObject([{ channel: 'shop.ordered' }])
    expect(engine.topologies.at(-1)!.channels).toMatchObject([{ name: 'shop.ordered' }])
  })

  it('may be for later', async () => {
    const { settlement, clock } = await outcomeOf((_, context) => context.schedule(Noted, { n: 1 }, { delayMs: 100 }))
    expect(publishedBy(settlement)[0]).toMatchObject({ dueAtMs: clock.nowMs() + 100 })
    const wrong = await outcomeOf((_, context) => context.schedule(Noted, { n: 1 }, {} as never))
    expect(deadLetterOf(wrong.settlement)?.headers.dlcode).toBe('CONFIG_INVALID')
  })

  it.each([
    ['well', () => undefined],
    ['badly', () => reject('no')],
  ])('is an error after the handler has ended %s', async (_, end) => {
    const kept: MessageContext[] = []
    await outcomeOf((_data, context) => {
      kept.push(context)
      return end()
    })
    expect(() => kept[0]!.publish(Noted, { n: 1 })).toThrow(expect.objectContaining({ code: 'FAILED_PRECONDITION' }))
  })

  it('is a failure of the message when the engine can never take it', async () => {
    const { bus, engine, clock } = scriptedRig()
    bus.on(Noted, { group: 'points' }, (_, context) => context.publish(Noted, { n: 1 }, { id: 'large' }))
    await bus.start()
    const { subscription } = engine
    subscription.outcomeOf = (settlement) =>
      JSON.stringify(settlement).includes('large')
        ? { ok: false, error: new PosthasteError('BODY_TOO_LARGE', 'over the limit') }
        : { ok: true }
    subscription.deliver({ n: 1 })
    await clock.advance(100)
    expect(deadLetterOf(subscription.settlements[1])?.headers.dlcode).toBe('BODY_TOO_LARGE')
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 1, acked: 0, unsettled: 0 })
  })
})
