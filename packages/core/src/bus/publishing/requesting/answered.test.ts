import { type BlobStore, command, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, gate, half, type MemoryRig, memoryRig } from '../../../../test/bus/rig.ts'
import { until } from '../../../../test/bus/until.ts'
import { type Bus, type BusOptions, createBus } from '../../bus.ts'
import type { HandlerOptions } from '../../consuming/options.ts'
import type { MessageHandler } from '../../consuming/subscribing.ts'
import { instanceGroup } from '../../instance-group.ts'

const Price = command('shop.price', { data: z.object({ sku: z.string() }), reply: z.object({ cents: z.number() }) })
const Echo = command('shop.echo', { data: z.string(), reply: z.string() })

/** Another process on the same engine. */
function anotherBus({ engine, clock, log }: MemoryRig, options: Partial<BusOptions> = {}): Bus {
  return createBus({ name: 'asker', engine, clock, log, instance: 'asker-1', random: half, ...options })
}

/** A bus that answers, and another one that asks. */
async function answering(
  handler: MessageHandler<typeof Price>,
  options: HandlerOptions = { retry: { immediate: 0, delayed: 1, baseMs: 1_000 } },
) {
  const rig = await memoryRig()
  rig.bus.handle(Price, options, handler)
  await rig.bus.start()
  const asker = anotherBus(rig)
  await asker.start()
  const letters = async () => (await rig.bus.deadLetters(Price).browse()).letters
  return { ...rig, asker, letters }
}

describe('a request on a real engine', () => {
  it('is answered by the handler of another process', async () => {
    const { asker, clock } = await answering(({ sku }) => ({ cents: sku.length }))
    const answer = asker.request(Price, { sku: 'abc' })
    await clock.advance(1)
    expect(await answer).toEqual({ cents: 3 })
  })

  it('is answered to whoever has asked, among many', async () => {
    const rig = await answering(async ({ sku }) => ({ cents: Number(sku) }))
    const buses = [rig.asker, rig.bus, anotherBus(rig, { instance: 'asker-2' })]
    await buses[2]!.start()
    const answers = Array.from({ length: 300 }, (_, n) => buses[n % 3]!.request(Price, { sku: `${n}` }))
    await rig.clock.advance(10)
    expect((await Promise.all(answers)).map(({ cents }) => cents)).toEqual(answers.map((_, n) => n))
    for (const bus of buses) expect(bus.requestStats()).toMatchObject({ sent: 100, answered: 100, late: 0, pending: 0 })
  })

  it('is answered after retries, or with the failure when there are no more', async () => {
    let attempts = 0
    const { asker, clock, letters } = await answering(() => {
      attempts += 1
      if (attempts < 2) throw new Error('database down')
      return { cents: 1 }
    })
    const answer = asker.request(Price, { sku: 'a' })
    await clock.advance(2_000)
    expect(await answer).toEqual({ cents: 1 })
    attempts = -10
    const failure = errorOf(asker.request(Price, { sku: 'a' }))
    await clock.advance(2_000)
    // What the handler threw is nobody's business.
    expect(await failure).toMatchObject({ code: 'HANDLER_FAILED', message: expect.not.stringContaining('database') })
    expect(await letters()).toHaveLength(1)
  })

  it('ends with the code that the handler chose', async () => {
    const { asker, clock } = await answering(() => {
      throw new PosthasteError('NOT_FOUND', 'no such sku', { issues: [{ path: 'sku', message: 'is unknown' }] })
    })
    const failure = errorOf(asker.request(Price, { sku: 'a' }))
    await clock.advance(10)
    expect(await failure).toMatchObject({
      code: 'NOT_FOUND',
      message: '[NOT_FOUND] no such sku',
      issues: [{ path: 'sku', message: 'is unknown' }],
    })
  })

  it('ends with an error when the handler returns what does not fit', async () => {
    const { asker, clock } = await answering(() => ({ cents: 'five' }) as never)
    const failure = errorOf(asker.request(Price, { sku: 'a' }))
    await clock.advance(10)
    expect(await failure).toMatchObject({ code: 'PAYLOAD_INVALID', issues: [{ path: 'cents' }] })
  })

  it('aborts the handler when its time is up, wherever it runs, and leaves no dead letter', async () => {
    const signals: AbortSignal[] = []
    const { bus, asker, clock, letters } = await answering((_, { signal }) => {
      signals.push(signal)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason)))
    })
    const failure = errorOf(asker.request(Price, { sku: 'a' }, { timeoutMs: 500 }))
    await clock.advance(5_000)
    expect(await failure).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(signals.map(({ aborted }) => aborted)).toEqual([true])
    expect(await letters()).toEqual([])
    expect(bus.stats()[0]).toMatchObject({ delivered: 1, unsettled: 0 })
  })

  it('has no reply any more when its time was up, though the handler went on', async () => {
    const slow = gate()
    const { bus, asker, clock } = await answering(async () => {
      await slow.promise
      return { cents: 1 }
    })
    const failure = errorOf(asker.request(Price, { sku: 'a' }, { timeoutMs: 500 }))
    await clock.advance(1_000)
    expect(await failure).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    slow.open()
    await clock.advance(1)
    expect(bus.stats()[0]).toMatchObject({ unsettled: 0 })
    expect(asker.requestStats()).toMatchObject({ timedOut: 1, answered: 0, late: 0, pending: 0 })
  })

  it('counts the reply late of a handler in another process, which cannot know that nobody waits', async () => {
    const slow = gate()
    const { asker, clock } = await answering(async () => {
      await slow.promise
      return { cents: 1 }
    })
    const controller = new AbortController()
    const failure = errorOf(asker.request(Price, { sku: 'a' }, { signal: controller.signal }))
    await clock.advance(1)
    controller.abort()
    expect(await failure).toMatchObject({ code: 'CANCELLED' })
    slow.open()
    await clock.advance(1)
    expect(asker.requestStats()).toMatchObject({ cancelled: 1, answered: 0, late: 1, pending: 0 })
  })

  it('aborts a handler of the same bus at once when it is cancelled', async () => {
    const signals: AbortSignal[] = []
    const { bus, clock, letters } = await answering((_, { signal }) => {
      signals.push(signal)
      return new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('stopped'))))
    })
    const controller = new AbortController()
    const failure = errorOf(bus.request(Price, { sku: 'a' }, { signal: controller.signal }))
    await clock.advance(1)
    expect(signals).toHaveLength(1)
    controller.abort()
    expect(signals[0]!.aborted).toBe(true)
    expect(await failure).toMatchObject({ code: 'CANCELLED' })
    await clock.advance(60_000)
    expect(signals).toHaveLength(1)
    expect(await letters()).toEqual([])
    expect(bus.stats()[0]).toMatchObject({ unsettled: 0, retried: 0 })
  })

  it('is not begun when it comes too late', async () => {
    let handled = 0
    const { asker, bus, clock, letters } = await answering(
      async () => {
        handled += 1
        if (handled === 1) await new Promise(() => {})
        return { cents: 1 }
      },
      { concurrency: 1, timeoutMs: 1_000, retry: false },
    )
    const first = errorOf(asker.request(Price, { sku: 'stuck' }))
    const second = errorOf(asker.request(Price, { sku: 'waits' }, { timeoutMs: 500 }))
    await clock.advance(2_000)
    expect(await second).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(await first).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(handled).toBe(1)
    expect(bus.stats()[0]).toMatchObject({ expired: 1 })
    expect(await letters()).toMatchObject([{ code: expect.not.stringMatching('MESSAGE_EXPIRED') }])
  })

  it('may be sent, too: then nobody is answered', async () => {
    const { asker, clock, engine } = await answering(() => ({ cents: 1 }))
    const published: string[] = []
    const { publish } = engine
    engine.publish = (records) => {
      published.push(...records.map(({ channel }) => channel))
      return publish.call(engine, records)
    }
    await asker.send(Price, { sku: 'a' })
    await clock.advance(10)
    expect(published).toEqual(['shop.price'])
  })

  it('and its reply may be bigger than what the engine takes', async () => {
    const kept = new Map<string, Uint8Array>()
    const store: BlobStore = {
      name: 'map',
      async put(id, bytes) {
        kept.set(`blob:${id}`, bytes)
        return `blob:${id}`
      },
      get: async (ref) => kept.get(ref)!,
    }
    const claimCheck = { store, overBytes: 1_024 }
    const rig = await memoryRig({ claimCheck })
    rig.bus.handle(Echo, (text) => text)
    await rig.bus.start()
    const asker = anotherBus(rig, { claimCheck })
    await asker.start()
    const big = 'x'.repeat(5_000)
    let answer: string | undefined
    void asker.request(Echo, big).then((text) => {
      answer = text
    })
    await until(async () => {
      await rig.clock.advance(0)
      return answer !== undefined
    })
    expect(answer).toBe(big)
    expect(kept.size).toBe(2)
  })

  it('is handled once though whoever asked is gone', async () => {
    const slow = gate()
    let handled = 0
    const { bus, asker, clock, letters } = await answering(async () => {
      handled += 1
      await slow.promise
      return { cents: 1 }
    })
    const failure = errorOf(asker.request(Price, { sku: 'a' }))
    await clock.advance(1)
    await asker.close()
    expect(await failure).toMatchObject({ code: 'ENGINE_CLOSED' })
    slow.open()
    await clock.advance(5_000)
    expect(handled).toBe(1)
    expect(await letters()).toEqual([])
    expect(bus.stats()[0]).toMatchObject({ acked: 1, unsettled: 0 })
  })

  it('leaves nothing behind: the place for replies goes with the process', async () => {
    const { asker, clock, engine } = await answering(() => ({ cents: 1 }))
    const answer = asker.request(Price, { sku: 'a' })
    await clock.advance(1)
    await answer
    await asker.close()
    const group = instanceGroup('requester', 'asker-1')
    await expect(engine.lag?.lag('posthaste.reply.asker', group)).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })
})
