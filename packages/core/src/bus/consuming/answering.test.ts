import { command, ignore, PosthasteError, reject } from '@posthaste/contracts'
import { describe, expect, it, vi } from 'vitest'
import { z } from 'zod'
import { consumingHalf } from '../../../test/bus/consuming-rig.ts'
import { gate, kinds, recordOf, ScriptedEngine, scriptedRig } from '../../../test/bus/rig.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import type { MessageContext } from './context.ts'
import type { HandlerOptions } from './options.ts'

const Quote = command('shop.quote', {
  data: z.object({ n: z.number() }),
  reply: z.object({ price: z.number() }),
})
const Told = command('shop.told', { data: z.object({ n: z.number() }) })

const replies = 'posthaste.reply.desk'
const replyTo = `${replies}/requester.1`
const headers = { type: 'shop.quote', source: '/desk', datacontenttype: 'application/json', correlationid: 'c1' }

type Handler = (data: { n: number }, context: MessageContext) => unknown

async function quoting(handler: Handler, options: HandlerOptions = {}, can = {}) {
  const rig = scriptedRig({ can })
  rig.bus.handle(Quote, { retry: { immediate: 0 }, ...options }, handler as never)
  await rig.bus.start()
  const { subscription } = rig.engine
  const ask = (more: object = {}, attempt = 1) =>
    subscription.deliver({
      attempt,
      record: recordOf({ channel: 'shop.quote', headers: { ...headers, replyto: replyTo }, ...more }),
    })
  const records = () => subscription.settlements.flatMap((one) => (one.kind === 'ack' ? (one.publish ?? []) : []))
  return { ...rig, subscription, ask, records }
}

const bodyOf = ({ body }: { body: Uint8Array }): unknown => JSON.parse(new TextDecoder().decode(body))

describe('a request', () => {
  it('is answered with its acknowledgement: what the handler returned, to the channel that awaits it', async () => {
    const { ask, clock, subscription, records } = await quoting(async ({ n }) => ({ price: n * 2 }))
    ask({ expiresAtMs: clock.nowMs() + 1_000 })
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 publish'])
    const [reply] = records()
    expect(reply).toMatchObject({
      channel: replies,
      group: 'requester.1',
      key: undefined,
      expiresAtMs: clock.nowMs() + 1_000,
      headers: {
        type: 'shop.quote.reply',
        source: '/shop',
        datacontenttype: 'application/json',
        correlationid: 'c1',
        causationid: 'm1',
      },
    })
    expect(bodyOf(reply!)).toEqual({ price: 2 })
  })

  it('that comes again is answered under the same id', async () => {
    const { ask, clock, records } = await quoting(({ n }) => ({ price: n }))
    ask()
    ask({}, 2)
    ask({ id: 'm2' })
    await clock.advance(0)
    const [first, again, other] = records().map(({ id }) => id)
    expect(again).toBe(first)
    expect(other).not.toBe(first)
  })

  it('leaves what its handler published before the answer', async () => {
    const { ask, clock, records } = await quoting(async ({ n }, context) => {
      void context.send(Told, { n })
      return { price: n }
    })
    ask()
    await clock.advance(0)
    expect(records().map(({ channel }) => channel)).toEqual(['shop.told', replies])
  })

  it('that only happens to be sent has no answer, and its handler’s is not looked at', async () => {
    const { ask, clock, subscription } = await quoting(() => 'nothing that fits')
    ask({ headers })
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 ack'])
  })

  it.each([
    'shop.stock.deduct',
    'posthaste.dead.g.x',
    'posthaste.reply.',
    'posthaste.reply.a b',
    'posthaste.reply.a',
    '',
  ])('is not answered to the channel %j, which nobody awaits replies in', async (elsewhere) => {
    const { ask, clock, subscription } = await quoting(({ n }) => ({ price: n }))
    ask({ headers: { ...headers, replyto: elsewhere } })
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 ack'])
  })

  it('fails when its answer does not fit the contract', async () => {
    const { ask, clock, records } = await quoting(() => ({ price: 'dear' }))
    ask()
    await clock.advance(0)
    const [letter, reply] = records()
    expect(letter).toMatchObject({
      channel: 'posthaste.dead.handler.shop.quote',
      headers: { dlcode: 'PAYLOAD_INVALID' },
    })
    expect(reply!.headers).toMatchObject({ replycode: 'PAYLOAD_INVALID' })
    expect(JSON.parse(reply!.headers.replyissues!)).toEqual([{ path: 'price', message: expect.any(String) }])
  })
})

describe('a request that fails', () => {
  it('is told why, with its dead letter', async () => {
    const { ask, clock, records } = await quoting(() => reject('no such product'))
    ask()
    await clock.advance(0)
    const [letter, reply] = records()
    expect(letter!.headers.dlcode).toBe('HANDLER_REJECTED')
    expect(reply).toMatchObject({
      channel: replies,
      headers: { type: 'shop.quote.reply', replycode: 'HANDLER_REJECTED', replymessage: 'no such product' },
    })
    expect(reply!.headers.replyissues).toBeUndefined()
    expect(reply!.body).toHaveLength(0)
  })

  it('tells nothing of what is inside, and not before the last attempt', async () => {
    const { ask, clock, subscription, records } = await quoting(
      () => {
        throw new Error('password wrong for user admin')
      },
      { retry: { immediate: 0, delayed: 1 } },
    )
    ask({}, 1)
    await clock.advance(0)
    expect(kinds(subscription.settlements)).toEqual(['1 retry'])
    ask({}, 2)
    await clock.advance(0)
    const [, reply] = records()
    expect(reply!.headers).toMatchObject({ replycode: 'HANDLER_FAILED' })
    expect(JSON.stringify(reply!.headers)).not.toContain('password')
  })

  it('is told, too, when the handler ignores it or it cannot be read', async () => {
    const { ask, clock, records } = await quoting(() => ignore('not ours'))
    ask()
    ask({ body: new TextEncoder().encode('{') })
    await clock.advance(0)
    expect(records().map(({ headers: { replycode, dlcode } }) => replycode ?? dlcode)).toEqual([
      'HANDLER_IGNORED',
      'BODY_MALFORMED',
      'BODY_MALFORMED',
    ])
  })

  it('is settled without its answer where that cannot be stored', async () => {
    const { ask, clock, subscription, log } = await quoting(() => reject('no'))
    const refused = new PosthasteError('NOT_FOUND', 'there is no such channel')
    subscription.outcomeOf = (one) =>
      one.kind === 'ack' && one.publish?.some(({ channel }) => channel === replies)
        ? { ok: false, error: refused }
        : { ok: true }
    ask()
    await clock.advance(1_000)
    const last = subscription.settlements.at(-1)
    expect(last).toMatchObject({ kind: 'ack', publish: [{ channel: 'posthaste.dead.handler.shop.quote' }] })
    expect(log.entries.some(({ message }) => message === 'a reply could not be sent')).toBe(true)
  })

  it('has issues left out that would not fit', async () => {
    const issues = Array.from({ length: 30 }, (_, at) => ({ path: `p${at}`, message: 'x'.repeat(200) }))
    const { ask, clock, records } = await quoting(
      () => {
        throw new PosthasteError('INVALID_ARGUMENT', 'wrong', { issues })
      },
      {},
      { headerBytesMax: 2_000 },
    )
    ask()
    await clock.advance(0)
    const reply = records()[1]!
    expect(reply.headers).toMatchObject({ replycode: 'INVALID_ARGUMENT', replymessage: 'wrong' })
    expect(reply.headers.replyissues).toBeUndefined()
  })
})

describe('a request whose attributes leave no room for a reply', () => {
  it('is dead-lettered without one, whether it was handled or not', async () => {
    const { ask, clock, subscription, bus } = await quoting(({ n }) => (n === 1 ? { price: n } : reject('no')))
    const long = { ...headers, replyto: replyTo, correlationid: 'x'.repeat(15_850) }
    ask({ headers: long })
    ask({ id: 'm2', headers: long, body: new TextEncoder().encode('{"n":2}') })
    await clock.advance(0)
    for (const settlement of subscription.settlements) {
      expect(settlement).toMatchObject({ publish: [{ channel: 'posthaste.dead.handler.shop.quote' }] })
    }
    expect(bus.stats()[0]).toMatchObject({ deadLettered: 2, restarts: 0, unsettled: 0 })
  })
})

describe('the deadline of a request', () => {
  it('bounds its handler, which is told, and then drops it without retry or dead letter', async () => {
    const end = gate()
    let seen: MessageContext | undefined
    const { ask, clock, subscription, bus } = await quoting((_, context) => {
      seen = context
      return end.promise
    })
    ask({ expiresAtMs: clock.nowMs() + 500 })
    await clock.advance(0)
    expect(seen!.deadlineAtMs).toBe(clock.monotonicMs() + 500)
    expect(seen!.signal.aborted).toBe(false)
    await clock.advance(600)
    expect(seen!.signal.reason).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(kinds(subscription.settlements)).toEqual(['1 ack'])
    expect(bus.stats()[0]).toMatchObject({ expired: 1, deadLettered: 0, retried: 0, unsettled: 0 })
  })

  it('that is over drops it before its handler, whatever is said about what expired', async () => {
    const handler = vi.fn()
    const { ask, clock, subscription, bus } = await quoting(handler, { expired: 'dead-letter' })
    ask({ expiresAtMs: clock.nowMs() })
    await clock.advance(0)
    expect(handler).not.toHaveBeenCalled()
    expect(kinds(subscription.settlements)).toEqual(['1 ack'])
    expect(bus.stats()[0]).toMatchObject({ expired: 1 })
  })
})

describe('a request that is given up', () => {
  const gaveUp = new PosthasteError('CANCELLED', 'the requester gave up')

  async function consuming(handler: Handler, concurrency = 16) {
    const clock = manualClock()
    const engine = new ScriptedEngine({}, clock.nowMs)
    const { subscribing } = consumingHalf(engine, clock)
    subscribing.handle(Quote, { retry: { immediate: 0 }, concurrency }, handler as never)
    await subscribing.start()
    return { clock, engine, subscribing, abandon: (id: string) => subscribing.abandon(Quote, id, gaveUp) }
  }

  const ask = (id: string) => ({
    record: recordOf({ id, channel: 'shop.quote', headers: { ...headers, replyto: replyTo } }),
  })

  it('has its handler told, and is dropped when that fails', async () => {
    const end = gate()
    let signal: AbortSignal | undefined
    const { clock, engine, subscribing, abandon } = await consuming((_, context) => {
      signal = context.signal
      return end.promise
    })
    engine.subscription.deliver(ask('r1'))
    await clock.advance(0)
    abandon('r1')
    expect(signal!.reason).toBe(gaveUp)
    end.fail(new Error('stopped'))
    await clock.advance(0)
    expect(kinds(engine.subscription.settlements)).toEqual(['1 ack'])
    expect(subscribing.stats()[0]).toMatchObject({ expired: 1 })
  })

  it('before its turn is never begun', async () => {
    const end = gate()
    const handler = vi.fn(() => end.promise.then(() => ({ price: 1 })))
    const { clock, engine, abandon } = await consuming(handler, 1)
    engine.subscription.deliver(ask('r1'), ask('r2'))
    await clock.advance(0)
    abandon('r2')
    end.open()
    await clock.advance(0)
    expect(handler).toHaveBeenCalledOnce()
    expect(kinds(engine.subscription.settlements)).toEqual(['1 publish', '2 ack'])
  })
})

describe('batches', () => {
  it('of a command that is answered are refused', () => {
    const { bus } = scriptedRig()
    expect(() => bus.handleBatch(Quote, {}, () => {})).toThrow(expect.objectContaining({ code: 'CONTRACT_INVALID' }))
  })
})
