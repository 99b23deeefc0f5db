import { command, type Delivery, event, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, gate, Noted, recordOf, type ScriptedSubscription, scriptedRig } from '../../../../test/bus/rig.ts'
import { instanceGroup } from '../../instance-group.ts'

const Price = command('shop.price', { data: z.object({ sku: z.string() }), reply: z.object({ cents: z.number() }) })
/** The group of the instance `shop-1`. */
const group = instanceGroup('requester', 'shop-1')
const Keyed = command('shop.keyed', { data: z.number(), reply: z.number(), key: () => 'k' })

/** A started bus whose requests are answered by the test. */
async function requesting(given: Parameters<typeof scriptedRig>[0] = {}) {
  const rig = scriptedRig({ ...given, can: { temporaryGroups: 'native', ...given.can } })
  await rig.bus.start()
  return rig
}

/** Hands replies over as the engine would. */
function reply({ sink }: ScriptedSubscription, to: OutgoingRecord, given: Partial<OutgoingRecord> = {}): void {
  const headers = { ...recordOf({}).headers, type: 'shop.price.reply', causationid: to.id, ...given.headers }
  const body = new TextEncoder().encode('{"cents":5}')
  const record = recordOf({ id: 'r1', channel: to.headers.replyto ?? '', body, ...given, headers })
  const delivery: Delivery = { tag: 1, attempt: 1, storedAtMs: 0, position: '1', record }
  sink.deliver([delivery])
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve))

/** What `request` sends, and the subscription of its replies. */
async function sent(rig: Awaited<ReturnType<typeof requesting>>) {
  await turn()
  return { request: rig.engine.records.at(-1)!, replies: rig.engine.subscription }
}

describe('a request', () => {
  it('is a command that says where its reply goes and when nobody awaits it any more', async () => {
    const rig = await requesting()
    const answer = rig.bus.request(Price, { sku: 'a' }, { id: 'q1', timeoutMs: 500, correlationId: 'c1' })
    const { request, replies } = await sent(rig)
    expect(request).toMatchObject({
      id: 'q1',
      channel: 'shop.price',
      expiresAtMs: rig.clock.nowMs() + 500,
      headers: { replyto: `posthaste.reply.shop/${group}`, correlationid: 'c1' },
    })
    expect(replies.spec).toMatchObject({ channel: 'posthaste.reply.shop', group })
    reply(replies, request)
    expect(await answer).toEqual({ cents: 5 })
    expect(rig.bus.requestStats()).toEqual({
      ...{ sent: 1, answered: 1, failed: 0, timedOut: 0, cancelled: 0, late: 0, pending: 0 },
    })
    expect(rig.clock.pending()).toBeLessThanOrEqual(1)
  })

  it('has its replies come in through one temporary group, joined with the first request', async () => {
    const rig = await requesting()
    expect(rig.engine.subscriptions).toEqual([])
    const answers = [1, 2, 3].map((n) => rig.bus.request(Price, { sku: `${n}` }))
    await turn()
    expect(rig.engine.subscriptions).toHaveLength(1)
    expect(rig.engine.topologies).toContainEqual({
      channels: [{ name: 'posthaste.reply.shop', kind: 'log', keyed: false }],
      groups: [{ channel: 'posthaste.reply.shop', group, from: 'next', lifetime: 'temporary' }],
    })
    for (const request of rig.engine.records) reply(rig.engine.subscription, request)
    await Promise.all(answers)
    await turn()
    expect(rig.engine.subscription.settlements).toHaveLength(3)
    expect(rig.engine.subscription.grants).toEqual([1_024, 1, 1, 1])
  })

  it('names a place that any engine takes, whatever the application and the instance are called', async () => {
    const rig = await requesting({ name: 'the shop', instance: 'shop@host/1' })
    void rig.bus.request(Price, { sku: 'a' }).catch(() => {})
    const { request } = await sent(rig)
    expect(request.headers.replyto).toMatch(/^posthaste\.reply\.[0-9a-f-]{36}\/requester\.[0-9a-f]{12}$/)
  })

  it('leaves in the order of the calls, where there is a key', async () => {
    const rig = await requesting()
    const answers = [1, 2, 3].map((n) => rig.bus.request(Keyed, n, { id: `${n}` }))
    await turn()
    answers.push(rig.bus.request(Keyed, 4, { id: '4' }), rig.bus.request(Keyed, 5, { id: '5' }))
    await turn()
    expect(rig.engine.records.map(({ id }) => id)).toEqual(['1', '2', '3', '4', '5'])
    const body = new TextEncoder().encode('7')
    for (const request of rig.engine.records) reply(rig.engine.subscription, request, { body })
    expect(await Promise.all(answers)).toEqual([7, 7, 7, 7, 7])
  })

  it('keeps its place among messages that are sent, also where replies have to be joined first', async () => {
    const rig = await requesting()
    const answer = rig.bus.request(Keyed, 1, { id: '1' })
    await rig.bus.send(Keyed, 2, { id: '2' })
    expect(rig.engine.records.map(({ id }) => id)).toEqual(['1', '2'])
    reply(rig.engine.subscription, rig.engine.records[0]!, { body: new TextEncoder().encode('7') })
    expect(await answer).toBe(7)
  })

  it('ends with what the handler failed with', async () => {
    const rig = await requesting()
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }))
    const { request, replies } = await sent(rig)
    const issues = [{ path: 'sku', message: 'is unknown' }]
    const headers = { replycode: 'NOT_FOUND', replymessage: 'no such sku', replyissues: JSON.stringify(issues) }
    reply(replies, request, { headers, body: new Uint8Array(0) })
    const error = await failure
    expect(PosthasteError.is(error, 'NOT_FOUND')).toBe(true)
    expect(error).toMatchObject({ message: '[NOT_FOUND] no such sku', issues, verdict: 'permanent' })
    expect(rig.bus.requestStats()).toMatchObject({ answered: 0, failed: 1, pending: 0 })
  })

  it('takes codes of later versions for failures', async () => {
    const rig = await requesting()
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }))
    const { request, replies } = await sent(rig)
    reply(replies, request, { headers: { replycode: 'TEAPOT', replyissues: 'no JSON' } })
    expect(await failure).toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('TEAPOT'), issues: [] })
  })

  it.each([
    ['does not fit', '{"cents":"five"}', 'PAYLOAD_INVALID'],
    ['is malformed', '{"cents"', 'BODY_MALFORMED'],
  ])('ends with an error when the reply %s', async (_, text, code) => {
    const rig = await requesting()
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }))
    const { request, replies } = await sent(rig)
    reply(replies, request, { body: new TextEncoder().encode(text) })
    expect(await failure).toMatchObject({ code })
    expect(rig.bus.requestStats()).toMatchObject({ answered: 0, failed: 1 })
  })

  it('waits for a schema of the reply that takes its time', async () => {
    const Slow = command('shop.slow', {
      data: z.any(),
      reply: z.object({ cents: z.number() }).refine(async () => true),
    })
    const rig = await requesting()
    const answer = rig.bus.request(Slow, 1)
    const { request, replies } = await sent(rig)
    reply(replies, request)
    expect(await answer).toEqual({ cents: 5 })
  })
})

describe('whoever awaits a reply', () => {
  it('gives up at the deadline, and counts what comes later', async () => {
    const rig = await requesting()
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }, { timeoutMs: 100 }))
    const { request, replies } = await sent(rig)
    await rig.clock.advance(90)
    expect(rig.bus.requestStats()).toMatchObject({ pending: 1 })
    await rig.clock.advance(30)
    expect(await failure).toMatchObject({ code: 'DEADLINE_EXCEEDED', message: expect.stringContaining('100 ms') })
    reply(replies, request)
    reply(replies, { ...request, id: 'nobody' })
    expect(rig.bus.requestStats()).toMatchObject({ timedOut: 1, late: 2, pending: 0 })
    await turn()
    expect(replies.settlements).toHaveLength(2)
  })

  it('counts a reply late that becomes readable after the deadline, and a second reply', async () => {
    const slow = gate()
    const Slow = command('shop.slow', {
      data: z.any(),
      reply: z.any().refine(async () => {
        await slow.promise
        return true
      }),
    })
    const rig = await requesting()
    const failure = errorOf(rig.bus.request(Slow, 1, { timeoutMs: 100 }))
    const { request, replies } = await sent(rig)
    reply(replies, request)
    await rig.clock.advance(120)
    slow.open()
    expect(await failure).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await turn()
    expect(rig.bus.requestStats()).toMatchObject({ answered: 0, timedOut: 1, late: 1 })
  })

  it('does not send what is over before it could be sent', async () => {
    const rig = await requesting()
    const declaring = gate()
    rig.engine.beforeDeclare = () => declaring.promise
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }, { timeoutMs: 100 }))
    await rig.clock.advance(120)
    expect(await failure).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    declaring.open()
    await turn()
    expect(rig.engine.records).toEqual([])
  })

  it('may give up by a signal, before and after it has asked', async () => {
    const rig = await requesting()
    const controller = new AbortController()
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }, { signal: controller.signal }))
    const { request, replies } = await sent(rig)
    controller.abort('enough')
    expect(await failure).toMatchObject({ code: 'CANCELLED', cause: 'enough', verdict: 'ignored' })
    reply(replies, request)
    expect(rig.bus.requestStats()).toMatchObject({ sent: 1, cancelled: 1, late: 1, pending: 0 })
    expect(await errorOf(rig.bus.request(Price, { sku: 'a' }, { signal: controller.signal }))).toMatchObject({
      code: 'CANCELLED',
    })
    expect(rig.engine.records).toHaveLength(1)
  })

  it('leaves no listener on a signal that outlives the request', async () => {
    const rig = await requesting()
    const { signal } = new AbortController()
    const listeners: string[] = []
    const add = signal.addEventListener.bind(signal)
    const remove = signal.removeEventListener.bind(signal)
    signal.addEventListener = (...rest: Parameters<typeof add>) => {
      listeners.push('added')
      add(...rest)
    }
    signal.removeEventListener = (...rest: Parameters<typeof remove>) => {
      listeners.push('removed')
      remove(...rest)
    }
    const answer = rig.bus.request(Price, { sku: 'a' }, { signal })
    const { request, replies } = await sent(rig)
    reply(replies, request)
    await answer
    expect(listeners).toEqual(['added', 'removed'])
  })

  it('learns at once that the request could not leave', async () => {
    const rig = await requesting()
    rig.engine.outcomeOf = () => ({ ok: false, error: new PosthasteError('ENGINE_WRITE_FAILED', 'disk full') })
    expect(await errorOf(rig.bus.request(Price, { sku: 'a' }))).toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
    expect(await errorOf(rig.bus.request(Price, { sku: 7 } as never))).toMatchObject({ code: 'PAYLOAD_INVALID' })
    expect(rig.bus.requestStats()).toMatchObject({ failed: 2, pending: 0 })
  })

  it('learns that replies no longer come in, and the next request joins again', async () => {
    const rig = await requesting()
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }))
    const { replies } = await sent(rig)
    replies.sink.closed(new PosthasteError('UNAVAILABLE', 'connection lost'))
    expect(await failure).toMatchObject({ code: 'UNAVAILABLE', cause: { message: '[UNAVAILABLE] connection lost' } })
    const answer = rig.bus.request(Price, { sku: 'b' })
    const again = await sent(rig)
    expect(rig.engine.subscriptions).toHaveLength(2)
    reply(again.replies, again.request)
    expect(await answer).toEqual({ cents: 5 })
  })

  it('learns that the place for replies could not be made, and the next request tries again', async () => {
    const rig = await requesting()
    rig.engine.beforeSubscribe = async () => {
      throw new PosthasteError('UNAVAILABLE', 'no connection')
    }
    expect(await errorOf(rig.bus.request(Price, { sku: 'a' }))).toMatchObject({ code: 'UNAVAILABLE' })
    rig.engine.beforeSubscribe = async () => {}
    const answer = rig.bus.request(Price, { sku: 'b' })
    const { request, replies } = await sent(rig)
    reply(replies, request)
    expect(await answer).toEqual({ cents: 5 })
  })

  it('learns that replies ended before they began', async () => {
    const rig = await requesting()
    const subscribe = rig.engine.subscribe.bind(rig.engine)
    rig.engine.subscribe = async (spec, sink) => {
      const subscription = await subscribe(spec, sink)
      sink.closed(new PosthasteError('UNAVAILABLE', 'connection lost'))
      return subscription
    }
    expect(await errorOf(rig.bus.request(Price, { sku: 'a' }))).toMatchObject({ code: 'UNAVAILABLE' })
    expect(rig.engine.records).toEqual([])
  })

  it('goes on when a reply cannot be acknowledged', async () => {
    const rig = await requesting()
    const answer = rig.bus.request(Price, { sku: 'a' })
    const { request, replies } = await sent(rig)
    replies.outcomeOf = () => {
      throw new Error('socket closed')
    }
    reply(replies, request)
    expect(await answer).toEqual({ cents: 5 })
    await turn()
    expect(replies.grants).toEqual([1_024, 1])
  })
})

describe('closing', () => {
  it('tells whoever awaits a reply, and lets go of the replies', async () => {
    const rig = await requesting()
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }))
    const { replies } = await sent(rig)
    await rig.bus.close()
    expect(await failure).toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(replies.stops).toBe(1)
    expect(await errorOf(rig.bus.request(Price, { sku: 'a' }))).toMatchObject({ code: 'ENGINE_CLOSED' })
  })

  it('refuses what is requested when replies are let go of already', async () => {
    const rig = await requesting()
    const first = errorOf(rig.bus.request(Price, { sku: 'a' }))
    const { replies } = await sent(rig)
    const stopping = gate()
    replies.stop = () => stopping.promise
    const closed = rig.bus.close()
    expect(await first).toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(await errorOf(rig.bus.request(Price, { sku: 'b' }))).toMatchObject({ code: 'ENGINE_CLOSED' })
    stopping.open()
    await closed
    expect(rig.engine.subscriptions).toHaveLength(1)
  })

  it('lets go of replies that are only being joined', async () => {
    const rig = await requesting()
    const joining = gate()
    rig.engine.beforeSubscribe = () => joining.promise
    const failure = errorOf(rig.bus.request(Price, { sku: 'a' }))
    await turn()
    const closed = rig.bus.close()
    await turn()
    joining.open()
    await closed
    expect(await failure).toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(rig.engine.subscription.stops).toBe(1)
    expect(rig.engine.records).toEqual([])
  })
})

describe('what cannot be requested', () => {
  it('is refused before anything leaves', async () => {
    const rig = await requesting()
    const Silent = command('shop.silent', { data: z.any() })
    const { bus } = rig
    expect(await errorOf(bus.request(Silent as never, 1 as never))).toMatchObject({ code: 'CONTRACT_INVALID' })
    expect(await errorOf(bus.request(Noted as never, 1 as never))).toMatchObject({ code: 'CONTRACT_INVALID' })
    expect(await errorOf(bus.request(event('shop.e', { data: z.any() }) as never, 1 as never))).toMatchObject({
      code: 'CONTRACT_INVALID',
    })
    const wrong = { timeoutMs: 0, signal: {}, priority: -1, retries: 1 } as never
    const { code, issues } = await errorOf(bus.request(Price, { sku: 'a' }, wrong))
    expect(code).toBe('CONFIG_INVALID')
    expect(issues.map(({ path }) => path)).toEqual(['request.timeoutMs', 'request.signal', 'priority', 'retries'])
    const times = { delayMs: 1, timeToLiveMs: 5 } as never
    expect((await errorOf(bus.request(Price, { sku: 'a' }, times))).issues.map(({ path }) => path)).toEqual([
      'delayMs',
      'timeToLiveMs',
    ])
    expect(rig.engine.records).toEqual([])
  })

  it('is one whose id is awaited already', async () => {
    const rig = await requesting()
    const first = rig.bus.request(Price, { sku: 'a' }, { id: 'q1' })
    expect(await errorOf(rig.bus.request(Price, { sku: 'a' }, { id: 'q1' }))).toMatchObject({ code: 'CONFLICT' })
    const { request, replies } = await sent(rig)
    reply(replies, request)
    expect(await first).toEqual({ cents: 5 })
  })

  it('is one too many', { timeout: 30_000 }, async () => {
    const rig = await requesting()
    const answers: Promise<unknown>[] = []
    for (let n = 0; n < 100_000; n++) answers.push(rig.bus.request(Price, { sku: 'a' }).catch(() => {}))
    expect(await errorOf(rig.bus.request(Price, { sku: 'a' }))).toMatchObject({ code: 'OVERLOADED' })
    await rig.bus.close()
    await Promise.all(answers)
    expect(rig.bus.requestStats()).toMatchObject({ sent: 100_000, failed: 100_000, pending: 0 })
  })

  it('is any before the start, or on an engine without temporary groups that can be addressed', async () => {
    const other = scriptedRig({ can: { groupAddress: 'none' } })
    await other.bus.start()
    expect(await errorOf(other.bus.request(Price, { sku: 'a' }))).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    const { bus } = scriptedRig({ can: { temporaryGroups: 'none' } })
    expect(await errorOf(bus.request(Price, { sku: 'a' }))).toMatchObject({ code: 'FAILED_PRECONDITION' })
    await bus.start()
    expect(await errorOf(bus.request(Price, { sku: 'a' }))).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
  })
})
