import { idempotencyStoreCases } from '@posthaste/conformance/stores'
import { describe, expect, it } from 'vitest'
import { manualClock } from '../../testing/manual-clock.ts'
import { type MemoryIdempotencyOptions, memoryIdempotency } from './memory-store.ts'

const claim = (key: string, leaseMs = 1_000) => ({ key, fingerprint: 'f', leaseMs })
const done = (bytes: number, ttlMs = 1_000) => ({ result: new Uint8Array(bytes), ttlMs })

function setUp(options: MemoryIdempotencyOptions = {}) {
  const clock = manualClock()
  const store = memoryIdempotency(options, clock)
  const begin = (key: string, leaseMs?: number): string => {
    const state = store.claim(claim(key, leaseMs))
    if (!('state' in state) || state.state !== 'fresh') throw new Error('not fresh')
    return state.token
  }
  const stateOf = (key: string) => (store.claim(claim(key)) as { state: string }).state
  return {
    clock,
    store,
    begin,
    stateOf,
    finish: (key: string, bytes = 1) => store.complete(key, begin(key), done(bytes)),
  }
}

describe('the memory store', () => {
  it.each(idempotencyStoreCases)('$title', async ({ run }) => {
    const { clock, store } = setUp()
    await run({ stores: [store], advance: (ms) => clock.advance(ms) })
  })

  it('makes room by the results kept longest, and keeps claims', () => {
    const { store, begin, finish, stateOf } = setUp({ keysMax: 3 })
    const token = begin('claimed')
    for (const key of ['a', 'b', 'c']) finish(key)
    expect([store.size, store.forgotten]).toEqual([3, 1])
    expect([stateOf('claimed'), stateOf('b'), stateOf('c')]).toEqual(['inFlight', 'done', 'done'])
    expect(store.complete('claimed', token, done(1))).toBe(true)
  })

  it('makes room by what is over, before it counts as forgotten', async () => {
    const { store, begin, clock } = setUp({ keysMax: 2 })
    begin('a', 10)
    begin('b', 10)
    await clock.advance(10)
    begin('c')
    expect([store.size, store.forgotten]).toEqual([2, 0])
  })

  it('refuses a claim when every key it may remember is claimed', () => {
    const { begin } = setUp({ keysMax: 2 })
    begin('a')
    begin('b')
    expect(() => begin('c')).toThrow(expect.objectContaining({ code: 'OVERLOADED', notSent: true }))
  })

  it('is bounded in bytes, and refuses a result that would never fit, whose claim stands', () => {
    const { store, finish, stateOf } = setUp({ bytesMax: 1_024 })
    finish('a', 512)
    finish('b', 512)
    finish('c', 1)
    expect([stateOf('b'), stateOf('c'), store.forgotten]).toEqual(['done', 'done', 1])
    expect(() => finish('huge', 2_000)).toThrow(expect.objectContaining({ code: 'BODY_TOO_LARGE' }))
    expect([stateOf('b'), stateOf('c'), store.forgotten, stateOf('huge')]).toEqual(['done', 'done', 1, 'inFlight'])
  })

  it('counts the bytes of what has gone as free', async () => {
    const { store, finish, clock, begin } = setUp({ bytesMax: 1_024 })
    finish('a', 1_024)
    await clock.advance(1_000)
    store.release('a', begin('a'))
    finish('b', 1_024)
    expect(store.forgotten).toBe(0)
  })

  it('is not changed by who changes the bytes', () => {
    const { store, begin } = setUp()
    const result = Uint8Array.of(1)
    store.complete('a', begin('a'), { result, ttlMs: 10 })
    result[0] = 2
    const first = store.claim(claim('a'))
    if ('result' in first) first.result[0] = 3
    expect(store.claim(claim('a'))).toEqual({ state: 'done', result: Uint8Array.of(1) })
  })

  it('refuses wrong options all at once', () => {
    expect(() => memoryIdempotency({ keysMax: 0, bytesMax: 1 })).toThrow(/keysMax.*bytesMax/)
  })
})
