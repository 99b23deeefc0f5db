import { type FilterEvent, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type CallInit, createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type BulkheadOptions, bulkhead } from './bulkhead.ts'

/** A bulkhead, and work around which it stands, that runs until the test ends it. */
function setUp(options: BulkheadOptions) {
  const clock = manualClock()
  const events: FilterEvent[] = []
  const deps = filterDeps({
    clock,
    random: () => 0.5,
    target: 'shop.Inventory',
    onEvent: (event) => events.push(event),
  })
  const filter = bulkhead(options, deps)
  const begun: string[] = []
  const ends = new Map<string, PromiseWithResolvers<string>>()
  const ended: string[] = []
  const start = (id: string, init: Partial<CallInit> = {}): Promise<string> => {
    const call = createCall({ kind: 'request', target: 'shop.Inventory/checkStock', id, payload: 1, ...init })
    const answer = (async () =>
      filter.apply(call, () => {
        begun.push(id)
        const end = Promise.withResolvers<string>()
        ends.set(id, end)
        return end.promise
      }))()
    answer.then(
      () => ended.push(`${id} done`),
      (error) => ended.push(`${id} ${PosthasteError.is(error) ? error.code : 'failed'}`),
    )
    return answer
  }
  const end = async (...ids: readonly string[]): Promise<void> => {
    for (const id of ids) ends.get(id)?.resolve(id)
    await clock.advance(0)
  }
  return { clock, filter, start, end, ends, begun, ended, events }
}

const call = createCall({ kind: 'request', target: 'shop.Inventory/checkStock', id: '1', payload: 1 })

describe('a bulkhead', () => {
  it('passes on what is there at once, and keeps no slot for it', () => {
    const { filter } = setUp({ concurrency: 1 })
    expect(filter.apply(call, () => 7)).toBe(7)
    expect(() =>
      filter.apply(call, () => {
        throw new Error('no')
      }),
    ).toThrow('no')
    expect(filter.snapshot?.()).toMatchObject({ running: 0, peak: 1 })
  })

  it('lets so many run at a time, and refuses the next, saying when to come again and that nothing was sent', async () => {
    const { start, begun, filter, events } = setUp({ concurrency: 2 })
    void start('a')
    void start('b')
    await expect(start('c')).rejects.toMatchObject({
      code: 'OVERLOADED',
      retryAfterMs: 1_000,
      notSent: true,
      message: expect.stringContaining('shop.Inventory/checkStock: 2 calls are under way and 0 wait'),
    })
    expect(begun).toEqual(['a', 'b'])
    expect(filter.snapshot?.()).toMatchObject({ running: 2, refused: 1 })
    expect(events).toEqual([{ target: 'shop.Inventory', role: 'bulkhead', kind: 'refused', waiting: 0 }])
  })

  it('gives a slot back when the work fails, is rejected, or was awaited without being a promise', async () => {
    const { filter, start, ends, clock } = setUp({ concurrency: 1 })
    start('a').catch(() => {})
    ends.get('a')?.reject(new Error('no'))
    await clock.advance(0)
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    const lazy = { then: (resolve: (value: number) => void) => resolve(7) } as unknown as PromiseLike<number>
    expect(await filter.apply(call, () => lazy)).toBe(7)
    expect(filter.snapshot?.()).toMatchObject({ running: 0 })
  })

  it('holds the slot until the work has ended, though its caller has given up', async () => {
    const { start, end, filter, clock } = setUp({ concurrency: 1 })
    const source = cancelSource()
    void start('a', { cancellation: source.token, deadlineAtMs: clock.monotonicMs() + 100 })
    source.cancel(new PosthasteError('CANCELLED', 'enough'))
    await clock.advance(10_000)
    expect(filter.snapshot?.()).toMatchObject({ running: 1 })
    await end('a')
    expect(filter.snapshot?.()).toMatchObject({ running: 0 })
  })

  it('is asked again soon while it is full, and takes calls when a slot is free', async () => {
    const { start, end, filter } = setUp({ concurrency: 1, queue: 5 })
    expect(filter.notReadyForMs?.()).toBe(0)
    void start('a')
    expect(filter.notReadyForMs?.()).toBe(10)
    await end('a')
    expect(filter.notReadyForMs?.()).toBe(0)
  })

  it('tells who waits for a free slot, one for each and the first who asked first, and not while calls wait', async () => {
    const { start, end, filter } = setUp({ concurrency: 2, queue: 5 })
    const told: string[] = []
    for (const id of ['a', 'b', 'c']) void start(id)
    for (const name of ['one', 'two', 'three']) filter.onceReady?.(() => told.push(name))
    const takeBack = filter.onceReady?.(() => told.push('four'))
    await end('a')
    expect(told).toEqual([])
    await end('b')
    expect(told).toEqual(['one'])
    await end('c')
    expect(told).toEqual(['one', 'two'])
    takeBack?.()
    for (const id of ['d', 'e']) void start(id)
    await end('d', 'e')
    expect(told).toEqual(['one', 'two', 'three'])
  })

  it('has a call end as it did though whoever is told of its slot throws', async () => {
    const { start, end, filter, ended } = setUp({ concurrency: 1 })
    void start('a')
    filter.onceReady?.(() => {
      throw new Error('no')
    })
    await end('a')
    expect(ended).toEqual(['a done'])
  })

  it('says how it is set, and the same for as long as it lives', () => {
    const { filter, start } = setUp({ concurrency: 1, queue: 5 })
    const settings = { role: 'bulkhead', concurrency: 1, queue: 5, queueTimeoutMs: 1_000, order: 'fifo' }
    expect(filter.describe()).toEqual(settings)
    void start('a')
    expect(filter.describe()).toEqual(settings)
  })

  it('tells of every mistake in its options at once', () => {
    const wrong = { queue: -1, order: 'lifo', size: 3 } as unknown as BulkheadOptions
    expect(() => bulkhead(wrong, filterDeps())).toThrow(
      /bulkhead\.size is not an option.*bulkhead\.concurrency is missing.*bulkhead\.queue must be.*bulkhead\.order must be/,
    )
  })
})

describe('the queue of a bulkhead', () => {
  it('has whoever waits take the slot in the order they came, and refuses whoever finds it full', async () => {
    const { start, end, begun, ended, filter } = setUp({ concurrency: 1, queue: 2 })
    for (const id of ['a', 'b', 'c', 'd']) start(id).catch(() => {})
    await end()
    expect(ended).toEqual(['d OVERLOADED'])
    for (const id of ['a', 'b', 'c']) await end(id)
    expect(begun).toEqual(['a', 'b', 'c'])
    expect(filter.snapshot?.()).toMatchObject({ running: 0, waiting: 0, peak: 1, waitingPeak: 2, refused: 1 })
  })

  it('has nobody wait for longer than it may', async () => {
    const { start, clock, ended, begun, end, filter, events } = setUp({ concurrency: 1, queue: 2, queueTimeoutMs: 200 })
    for (const id of ['a', 'b']) start(id).catch(() => {})
    await clock.advance(190)
    expect(ended).toEqual([])
    await clock.advance(20)
    expect(ended).toEqual(['b OVERLOADED'])
    await end('a')
    expect(begun).toEqual(['a'])
    expect(filter.snapshot?.()).toMatchObject({ running: 0, waiting: 0, timedOut: 1 })
    expect(events).toMatchObject([{ kind: 'queueTimedOut', by: 'queue' }])
  })

  it('has messages wait for as long as they must: elsewhere they would only wait again', async () => {
    const { start, clock, end, begun } = setUp({ concurrency: 1, queue: 2, queueTimeoutMs: 200 })
    void start('a')
    void start('b', { kind: 'handle' })
    await clock.advance(60_000)
    await end('a')
    expect(begun).toEqual(['a', 'b'])
  })

  it('has a call fail at its own deadline where that is earlier', async () => {
    const { start, clock, ended, events } = setUp({ concurrency: 1, queue: 2 })
    const deadlineAtMs = clock.monotonicMs() + 50
    for (const id of ['a', 'b']) start(id, { deadlineAtMs }).catch(() => {})
    await clock.advance(60)
    expect(ended).toEqual(['b DEADLINE_EXCEEDED'])
    expect(events).toMatchObject([{ kind: 'queueTimedOut', by: 'deadline' }])
    await expect(start('c', { deadlineAtMs })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED', notSent: true })
  })

  it('takes one that a deadline outside of it has cancelled for late, too', async () => {
    const { start, clock, filter, events } = setUp({ concurrency: 1, queue: 2 })
    const source = cancelSource()
    void start('a')
    start('b', { cancellation: source.token }).catch(() => {})
    source.cancel(new PosthasteError('DEADLINE_EXCEEDED', 'too late'))
    await clock.advance(0)
    expect(filter.snapshot?.()).toMatchObject({ waiting: 0, timedOut: 1, cancelled: 0 })
    expect(events).toMatchObject([{ kind: 'queueTimedOut', by: 'deadline' }])
  })

  it('lets go of a call that is cancelled at once: its place is free for another', async () => {
    const { start, end, clock, ended, begun, filter } = setUp({ concurrency: 1, queue: 1 })
    const source = cancelSource()
    void start('a')
    start('b', { cancellation: source.token }).catch(() => {})
    source.cancel(new PosthasteError('CANCELLED', 'enough'))
    void start('c')
    await clock.advance(0)
    expect(ended).toEqual(['b CANCELLED'])
    await expect(start('d', { cancellation: source.token })).rejects.toMatchObject({ code: 'CANCELLED' })
    await end('a')
    await end('c')
    expect(begun).toEqual(['a', 'c'])
    expect(filter.snapshot?.()).toMatchObject({ waiting: 0, running: 0, cancelled: 1, refused: 0 })
  })

  it('leaves neither timers nor listeners behind', async () => {
    const { start, end, clock } = setUp({ concurrency: 1, queue: 10, queueTimeoutMs: 60_000 })
    const source = cancelSource()
    let listeners = 0
    const cancellation = {
      ...source.token,
      reason: undefined,
      signal: source.token.signal,
      onCancel(listener: (reason: PosthasteError) => void) {
        listeners += 1
        const stop = source.token.onCancel(listener)
        return () => {
          listeners -= 1
          stop()
        }
      },
    }
    for (const id of ['a', 'b', 'c']) void start(id, { cancellation })
    for (const id of ['a', 'b', 'c']) await end(id)
    expect(listeners).toBe(0)
    await clock.advance(60_100)
    expect(clock.pending()).toBe(0)
  })

  it('is emptied without recursion by work that ends at once, however many wait', async () => {
    const { filter, start, end } = setUp({ concurrency: 1, queue: 50_000 })
    void start('a')
    let ran = 0
    const waiting = Array.from({ length: 50_000 }, () => filter.apply(call, () => ++ran))
    await end('a')
    await Promise.all(waiting)
    expect(ran).toBe(50_000)
    expect(filter.snapshot?.()).toMatchObject({ running: 0, waiting: 0, peak: 1 })
  })

  it('has what a waiting call calls itself wait behind the others', async () => {
    const { filter, start, end } = setUp({ concurrency: 1, queue: 10 })
    void start('a')
    const order: string[] = []
    let inner: unknown
    void filter.apply(call, () => {
      order.push('outer')
      inner = filter.apply(call, () => order.push('inner'))
    })
    void filter.apply(call, () => order.push('other'))
    await end('a')
    await inner
    expect(order).toEqual(['outer', 'other', 'inner'])
  })
})

describe('the adaptive order of a bulkhead', () => {
  it('serves who came last while more than half of the queue is taken, and then who has waited for longest', async () => {
    const { start, end, begun } = setUp({ concurrency: 1, queue: 4, order: 'adaptive' })
    for (const id of ['a', 'b', 'c', 'd', 'e']) void start(id)
    for (const id of ['a', 'e', 'd', 'b']) await end(id)
    expect(begun).toEqual(['a', 'e', 'd', 'b', 'c'])
  })

  it('serves who came last when the queue has not been empty for 100 ms', async () => {
    const { start, end, begun, clock } = setUp({ concurrency: 1, queue: 100, order: 'adaptive' })
    for (const id of ['a', 'b', 'c', 'd']) void start(id)
    await clock.advance(99)
    await end('a')
    await clock.advance(1)
    await end('b')
    expect(begun).toEqual(['a', 'b', 'd'])
  })

  it('forgets how long the queue has stood once it was empty', async () => {
    const { start, end, begun, clock } = setUp({ concurrency: 1, queue: 100, order: 'adaptive' })
    for (const id of ['a', 'b']) void start(id)
    await clock.advance(500)
    await end('a')
    for (const id of ['c', 'd']) void start(id)
    await end('b')
    expect(begun).toEqual(['a', 'b', 'c'])
  })
})
