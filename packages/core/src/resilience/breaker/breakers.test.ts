import { type FilterEvent, PosthasteError, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { type BreakersOptions, breakers } from './breakers.ts'

const callTo = (target: string) => createCall({ kind: 'request', target, id: '1', payload: 1 })
const failing: Service<number, number> = () => {
  throw new PosthasteError('UNAVAILABLE', 'down')
}
const answering = () => 1

function setUp(options: BreakersOptions = {}) {
  const log = recordingLog()
  const clock = manualClock()
  const events: FilterEvent[] = []
  const deps = filterDeps({ clock, log, random: () => 0.5, onEvent: (event) => events.push(event) })
  const filter = breakers({ breaker: { callsMin: 1, openMs: 5_000 }, ...options }, deps)
  const codeOf = (target: string, service: Service<number, number>): string => {
    try {
      return String(filter.apply(callTo(target), service))
    } catch (error) {
      return PosthasteError.is(error) ? error.code : 'something else'
    }
  }
  const call = (target: string, service: Service<number, number>, times = 1): void => {
    for (let time = 0; time < times; time++) codeOf(target, service)
  }
  return { filter, codeOf, call, log, clock, events }
}

describe('breakers', () => {
  it('open for the target that fails and for no other', () => {
    const { codeOf, filter, log } = setUp()
    expect(codeOf('a', failing)).toBe('UNAVAILABLE')
    expect(codeOf('a', answering)).toBe('BREAKER_OPEN')
    expect(codeOf('b', answering)).toBe('1')
    expect(filter.describe()).toMatchObject({ role: 'breaker', callsMin: 1, keysMax: 1_000 })
    expect(filter.snapshot()).toMatchObject({
      role: 'breaker',
      keys: 1,
      freshKeys: 1,
      notClosed: [{ key: 'a', state: 'open', calls: 1, failures: 1, notReadyForMs: 5_000 }],
      notClosedCount: 1,
      openings: 1,
      rejected: 1,
    })
    expect(log.entries[0]?.fields).toMatchObject({ target: 'a' })
  })

  it('tell calls apart by the given key', () => {
    const { codeOf } = setUp({ key: ({ target }) => target.charAt(0) })
    codeOf('a1', failing)
    expect(codeOf('a2', answering)).toBe('BREAKER_OPEN')
  })

  it('name the key in what they tell', () => {
    const { call, events } = setUp()
    call('a', failing, 2)
    expect(events).toMatchObject([
      { role: 'breaker', kind: 'opened', target: 'a' },
      { role: 'breaker', kind: 'refused', target: 'a' },
    ])
  })

  it('count asynchronous calls when they end, and those that began before it opened no more', async () => {
    const { codeOf, filter, clock } = setUp()
    const late = Promise.withResolvers<number>()
    const early = filter.apply(callTo('a'), () => late.promise)
    codeOf('a', failing)
    await clock.advance(5_000)
    late.resolve(1)
    await expect(early).resolves.toBe(1)
    expect(filter.stateOf('a')).toBe('open')
  })

  it('let probes pass, and close by them', async () => {
    const { call, filter, clock } = setUp()
    call('a', failing)
    await clock.advance(5_000)
    call('a', answering, 2)
    expect(filter.stateOf('a')).toBe('halfOpen')
    call('a', answering)
    expect(filter.stateOf('a')).toBe('closed')
    expect(filter.snapshot()).toMatchObject({ notClosed: [], notClosedCount: 0 })
  })

  it('refuse wrong options when they are made, those of each too', () => {
    expect(() => setUp({ keysMax: 0 })).toThrow('breakers.keysMax')
    expect(() => setUp({ breaker: { probes: 0 } })).toThrow('breaker.probes')
  })
})

describe('a key without a breaker', () => {
  const two = { breaker: { callsMin: 20, failurePercent: 50 } }

  it('has its successes counted all the same', () => {
    const { call, filter } = setUp(two)
    call('a', answering, 10)
    expect(filter.snapshot()).toMatchObject({ keys: 0, freshKeys: 1 })
    call('a', failing, 9)
    expect(filter.stateOf('a')).toBe('closed')
    call('a', failing)
    expect(filter.stateOf('a')).toBe('open')
    expect(filter.snapshot()).toMatchObject({ notClosed: [{ calls: 20, failures: 10 }] })
  })

  it('gets one when it is called often, with all that was counted', () => {
    const { call, filter } = setUp(two)
    call('a', answering, 100)
    expect(filter.snapshot()).toMatchObject({ keys: 1, freshKeys: 0 })
    call('a', failing, 99)
    expect(filter.stateOf('a')).toBe('closed')
    call('a', failing)
    expect(filter.stateOf('a')).toBe('open')
  })

  it('has successes of different times counted for as long as each lasts', async () => {
    const { call, filter, clock } = setUp(two)
    await clock.advance(500)
    call('a', answering, 5)
    await clock.advance(4_000)
    call('a', answering, 5)
    // The first five have left the window, the other five have not.
    await clock.advance(6_000)
    call('a', failing, 20)
    expect(filter.snapshot()).toMatchObject({ notClosed: [{ calls: 20, failures: 15 }] })
  })

  it('says nothing by neutral outcomes', () => {
    const { call, filter } = setUp(two)
    call('a', () => {
      throw new PosthasteError('INVALID_ARGUMENT', 'wrong')
    })
    expect(filter.snapshot()).toMatchObject({ keys: 0, freshKeys: 0 })
  })
})

describe('breakers’ memory', () => {
  it('loses a closed breaker with nothing in its window', async () => {
    const { call, filter, clock } = setUp({ breaker: { callsMin: 20 } })
    for (const key of ['a', 'b', 'c']) call(key, failing)
    call('d', answering)
    expect(filter.snapshot()).toMatchObject({ keys: 3, freshKeys: 1 })
    for (let window = 0; window < 3; window++) {
      await clock.advance(11_000)
      call('e', answering)
    }
    expect(filter.snapshot()).toMatchObject({ keys: 0, freshKeys: 1, evicted: 0 })
  })

  it('keeps no more breakers than it may, and loses one that was not used lately', () => {
    const { call, filter } = setUp({ keysMax: 3, breaker: { callsMin: 2 } })
    for (const key of ['a', 'b', 'c']) call(key, failing)
    call('d', failing)
    for (const key of ['b', 'c']) call(key, answering)
    call('e', failing)
    expect(filter.snapshot()).toMatchObject({ keys: 3, evicted: 2 })
  })

  it('loses closed breakers before open ones, and then the one that was opened first', () => {
    const { call, filter, codeOf } = setUp({ keysMax: 3, breaker: { callsMin: 2 } })
    call('a', failing, 2)
    call('b', failing, 2)
    for (let i = 0; i < 20; i++) call(`closed ${i}`, failing)
    expect([codeOf('a', answering), codeOf('b', answering)]).toEqual(['BREAKER_OPEN', 'BREAKER_OPEN'])
    call('c', failing, 2)
    call('d', failing, 2)
    expect(['a', 'b', 'c', 'd'].map((key) => filter.stateOf(key))).toEqual(['closed', 'open', 'open', 'open'])
  })

  it('is not filled by keys that are seen once, nor do they drive out any that are in use', () => {
    const { call, filter } = setUp({ keysMax: 10, breaker: { callsMin: 2 } })
    call('a', failing)
    for (let i = 0; i < 10_000; i++) call(`once ${i}`, answering)
    expect(filter.snapshot().keys).toBe(1)
    expect(filter.snapshot().freshKeys).toBeLessThanOrEqual(10)
    call('a', failing)
    expect(filter.stateOf('a')).toBe('open')
  })

  it('does not lose the outcome of a call that outlives what was known of its key', async () => {
    const { call, filter, clock } = setUp({ breaker: { callsMin: 2 } })
    const late = Promise.withResolvers<number>()
    const early = filter.apply(callTo('a'), () => late.promise)
    call('a', failing)
    await clock.advance(30_000)
    call('b', answering)
    expect(filter.snapshot()).toMatchObject({ keys: 0 })
    late.reject(new PosthasteError('UNAVAILABLE', 'down'))
    await expect(early).rejects.toThrow('down')
    call('a', failing)
    expect(filter.stateOf('a')).toBe('open')
  })

  it('does not count a call from before its key opened, though that breaker was forgotten since', async () => {
    const { call, filter, clock } = setUp({ breaker: { callsMin: 2, openMs: 100, probes: 1 } })
    const late = Promise.withResolvers<number>()
    const early = filter.apply(callTo('a'), () => late.promise)
    call('a', failing, 2)
    await clock.advance(200)
    call('a', answering)
    expect(filter.stateOf('a')).toBe('closed')
    await clock.advance(11_000)
    call('b', answering)
    expect(filter.snapshot()).toMatchObject({ keys: 0 })
    late.reject(new PosthasteError('UNAVAILABLE', 'down'))
    await expect(early).rejects.toThrow('down')
    call('a', failing)
    expect(filter.stateOf('a')).toBe('closed')
  })

  it('shows a hundred at most of those that are not closed, and how many there are', () => {
    const { call, filter } = setUp()
    for (let i = 0; i < 150; i++) call(`key ${i}`, failing)
    const { notClosed, notClosedCount } = filter.snapshot() as unknown as {
      notClosed: object[]
      notClosedCount: number
    }
    expect([notClosed.length, notClosedCount]).toEqual([100, 150])
  })
})

describe('breakers that are held', () => {
  it('hold for their key alone, until they are let go', () => {
    const { codeOf, filter, events } = setUp()
    filter.force('a', 'open')
    expect([codeOf('a', answering), codeOf('b', answering)]).toEqual(['BREAKER_OPEN', '1'])
    expect(filter.snapshot()).toMatchObject({ notClosed: [{ key: 'a', state: 'open', forced: 'open' }] })
    filter.force('a', undefined)
    expect(codeOf('a', answering)).toBe('1')
    expect(filter.snapshot()).toMatchObject({ notClosedCount: 0 })
    const forced = events.filter(({ kind }) => kind === 'forced')
    expect(forced).toMatchObject([
      { target: 'a', to: 'open' },
      { target: 'a', to: 'automatic' },
    ])
  })

  it('are never lost, and take no place of others', async () => {
    const { call, codeOf, filter, clock } = setUp({ keysMax: 2 })
    filter.force('a', 'closed')
    for (let i = 0; i < 10; i++) call(`key ${i}`, failing)
    await clock.advance(60_000)
    call('another', answering)
    call('a', failing, 10)
    expect(filter.stateOf('a')).toBe('closed')
    expect(codeOf('key 9', answering)).toBe('1')
    expect(filter.snapshot()).toMatchObject({ keys: 3 })
  })

  it('take their place among the others again when they are let go', () => {
    const { call, filter } = setUp({ keysMax: 2 })
    filter.force('a', 'closed')
    for (const key of ['b', 'c']) call(key, failing)
    filter.force('a', undefined)
    expect(filter.snapshot()).toMatchObject({ keys: 2, evicted: 1 })
    expect(filter.stateOf('b')).toBe('open')
  })

  it('cannot be held in anything else', () => {
    const { filter } = setUp()
    expect(() => filter.force('a', 'ajar' as 'open')).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })

  it('are held at the cost of no other, as those that are held do not count', () => {
    const { call, filter } = setUp({ keysMax: 2 })
    for (const key of ['a', 'b']) call(key, failing)
    filter.force('c', 'open')
    expect(filter.stateOf('a')).toBe('open')
    expect(filter.snapshot()).toMatchObject({ keys: 3, evicted: 0 })
  })
})
