import { type Call, type FilterEvent, PosthasteError, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type CallInit, createCall } from '../../pipeline/call.ts'
import { compose } from '../../pipeline/compose.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type FallbackOptions, fallback } from './fallback.ts'

const unavailable = new PosthasteError('UNAVAILABLE', 'down')
const call = createCall({ kind: 'request', target: 'shop.Inventory/checkStock', id: '1', payload: 7 })
const deps = filterDeps({ clock: manualClock() })
const around = (options: FallbackOptions, service: Service<number, unknown>) => async () =>
  compose([fallback(options, deps)], service)(call)

describe.each(['throws', 'rejects'])('a fallback, where the service %s', (how) => {
  const failing =
    (thrown: unknown): Service<number, unknown> =>
    () => {
      if (how === 'rejects') return Promise.reject(thrown)
      throw thrown
    }

  it('answers with what it makes of the call and the failure', async () => {
    const answer: FallbackOptions['answer'] = ({ payload }, thrown) => ({ payload, thrown })
    await expect(around({ answer }, failing(unavailable))()).resolves.toEqual({ payload: 7, thrown: unavailable })
    await expect(around({ answer: async () => 0 }, failing(unavailable))()).resolves.toBe(0)
  })

  it.each(['DEADLINE_EXCEEDED', 'BREAKER_OPEN', 'OVERLOADED', 'INTERNAL'] as const)('answers for %s', async (code) => {
    await expect(around({ answer: () => 0 }, failing(new PosthasteError(code, 'it')))()).resolves.toBe(0)
  })

  it.each(['INVALID_ARGUMENT', 'NOT_FOUND', 'PERMISSION_DENIED', 'CANCELLED'] as const)(
    'does not answer for %s',
    async (code) => {
      const failure = new PosthasteError(code, 'it')
      await expect(around({ answer: () => 0 }, failing(failure))()).rejects.toBe(failure)
    },
  )

  it('answers for the failures it is told to', async () => {
    const missing = new PosthasteError('NOT_FOUND', 'it')
    const options: FallbackOptions = { answer: () => 0, when: (thrown) => thrown === missing }
    await expect(around(options, failing(missing))()).resolves.toBe(0)
    await expect(around(options, failing(unavailable))()).rejects.toBe(unavailable)
  })

  it('fails with its own failure and the service’s as the cause', async () => {
    const throwing = (): never => {
      throw new PosthasteError('NOT_FOUND', 'no cached stock')
    }
    for (const answer of [throwing, async () => throwing()]) {
      await expect(around({ answer }, failing(unavailable))()).rejects.toMatchObject({
        code: 'NOT_FOUND',
        verdict: 'permanent',
        cause: unavailable,
        message: expect.stringContaining('no cached stock'),
      })
    }
  })

  it('is INTERNAL, and may be tried again, when it throws something of its own kind', async () => {
    const answer = (): never => {
      throw new TypeError('a fault')
    }
    const expected = { code: 'INTERNAL', verdict: 'retryable', cause: unavailable }
    await expect(around({ answer }, failing(unavailable))()).rejects.toMatchObject(expected)
  })
})

describe('a fallback', () => {
  it('does nothing to a call that succeeds, and keeps it synchronous', () => {
    expect(fallback({ answer: () => 0 }, deps).apply(call, () => 7)).toBe(7)
  })

  it('answers with a value that is set, falsy ones too', async () => {
    for (const value of [7, 0, '', null, false]) {
      await expect(around({ value }, () => Promise.reject(unavailable))()).resolves.toBe(value)
    }
  })

  it('lets the failure of a call through that wants no fallback', () => {
    const plain = createCall({ ...call, overrides: { fallback: false } })
    const throwing = () => {
      throw unavailable
    }
    expect(() => fallback({ value: 0 }, deps).apply(plain, throwing)).toThrow(unavailable)
  })

  it.each<[unknown, string[]]>([
    [{}, ['fallback']],
    [{ answer: () => 0, value: 0 }, ['fallback']],
    [{ answer: 0, x: 1 }, ['fallback.x', 'fallback.answer']],
    [{ lastGood: {} }, ['fallback.lastGood.maxAgeMs']],
    [
      { lastGood: { maxAgeMs: 0, keysMax: 0, key: 1 }, answer: () => 0, value: 0 },
      ['fallback.lastGood.maxAgeMs', 'fallback.lastGood.keysMax', 'fallback.lastGood.key', 'fallback'],
    ],
  ])('refuses %o', (options, paths) => {
    const issues = paths.map((path) => expect.objectContaining({ path }))
    expect(() => fallback(options as FallbackOptions, deps)).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID', issues }),
    )
  })

  it('describes itself', () => {
    expect(fallback({ answer: () => 0 }, deps).describe()).toEqual({ role: 'fallback', otherwise: 'function' })
    expect(fallback({ lastGood: { maxAgeMs: 5 } }, deps).describe()).toEqual({
      role: 'fallback',
      lastGood: { maxAgeMs: 5, keysMax: 1_000 },
      otherwise: 'none',
    })
  })

  it('tells and counts what it answered with', async () => {
    const events: unknown[] = []
    const watched = filterDeps({ clock: manualClock(), target: 'shop', onEvent: (event) => events.push(event) })
    const fails = { value: true }
    const answer = () => {
      if (fails.value) throw new TypeError('none')
      return 1
    }
    const filter = fallback({ answer }, watched)
    const run = async () => filter.apply(call, () => Promise.reject(unavailable))
    await run().catch(() => {})
    fails.value = false
    await run()
    expect(events).toEqual([
      { target: 'shop', role: 'fallback', kind: 'failed', code: 'INTERNAL' },
      { target: 'shop', role: 'fallback', kind: 'answered', by: 'function', code: 'UNAVAILABLE' },
    ])
    expect(filter.snapshot?.()).toMatchObject({ answeredByFunction: 1, answeredByValue: 0, failed: 1 })
  })
})

describe('the last good answer', () => {
  const read = (payload: unknown, init: Partial<CallInit> = {}) =>
    createCall({ kind: 'request', target: 'shop/read', id: '1', payload, idempotent: true, ...init })

  function setUp(options: Partial<FallbackOptions> = {}) {
    const clock = manualClock()
    const events: FilterEvent[] = []
    const deps = filterDeps({ clock, onEvent: (event) => events.push(event) })
    const filter = fallback({ lastGood: { maxAgeMs: 1_000, keysMax: 2 }, ...options }, deps)
    const good = (asked: Call, value: unknown = 'good') => filter.apply(asked, () => value)
    const bad = async (asked: Call) => filter.apply(asked, () => Promise.reject(unavailable))
    return { clock, events, filter, good, bad }
  }

  it('is given to the same question up to its age, and to no other', async () => {
    const { clock, good, bad, events, filter } = setUp()
    good(read({ a: 1, b: 2 }))
    await filter.apply(read(2), async () => 'two')
    await clock.advance(1_000)
    await expect(bad(read({ b: 2, a: 1 }))).resolves.toBe('good')
    await expect(bad(read(2))).resolves.toBe('two')
    await expect(bad(read({ a: 1 }))).rejects.toBe(unavailable)
    await expect(bad(read(2, { target: 'shop/other' }))).rejects.toBe(unavailable)
    await expect(bad(read(2, { headers: { authorization: 'of somebody else' } }))).rejects.toBe(unavailable)
    expect(events.map(({ by, ageMs }) => [by, ageMs])).toEqual(Array.from({ length: 2 }, () => ['lastGood', 1_000]))
    await clock.advance(1)
    await expect(bad(read(2))).rejects.toBe(unavailable)
    expect(filter.snapshot?.()).toMatchObject({ answeredByLastGood: 2, keys: 2 })
  })

  it('is followed by the value or the function where there is none', async () => {
    for (const options of [{ value: 'plain' }, { answer: () => 'plain' }]) {
      const { good, bad } = setUp(options)
      await expect(bad(read(1))).resolves.toBe('plain')
      good(read(1))
      await expect(bad(read(1))).resolves.toBe('good')
    }
  })

  it('is bounded in number', async () => {
    const { good, bad, filter } = setUp()
    for (const n of [1, 2, 3]) good(read(n), n)
    await expect(bad(read(1))).rejects.toBe(unavailable)
    await expect(bad(read(3))).resolves.toBe(3)
    expect(filter.snapshot?.()).toMatchObject({ keys: 2 })
  })

  it('is not kept of messages, of calls that are not idempotent, and of streams', async () => {
    for (const init of [{ kind: 'handle' }, { kind: 'publish' }, { idempotent: false }] as const) {
      const { good, bad } = setUp()
      good(read(1, init))
      await expect(bad(read(1, init))).rejects.toBe(unavailable)
    }
    const { good, bad } = setUp()
    good(
      read(1),
      (async function* () {
        yield 1
      })(),
    )
    await expect(bad(read(1))).rejects.toBe(unavailable)
  })

  it('goes by a key that the application gives', async () => {
    const { good, bad } = setUp({
      lastGood: { maxAgeMs: 5, key: ({ payload }) => (payload === 9 ? undefined : 'one') },
    })
    good(read(1), 'any')
    good(read(9), 'none')
    await expect(bad(read(2))).resolves.toBe('any')
    await expect(bad(read(9))).rejects.toBe(unavailable)
  })
})
