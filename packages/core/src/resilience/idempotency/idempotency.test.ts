import { type Call, type FilterEvent, type IdempotencyStore, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type CallInit, createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { type IdempotencyOptions, idempotency } from './idempotency.ts'
import { memoryIdempotency } from './memory-store.ts'

const headers = { 'idempotency-key': 'k-1' }
const create = (init: Partial<CallInit> = {}) =>
  createCall({ kind: 'serve', target: 'shop/create', id: '1', payload: { n: 1 }, headers, ...init })

function setUp(options: Partial<IdempotencyOptions> = {}) {
  const clock = manualClock()
  const log = recordingLog()
  const events: FilterEvent[] = []
  const deps = filterDeps({ clock, log, target: 'shop', onEvent: (event) => events.push(event) })
  const store = options.store ?? memoryIdempotency({}, clock)
  const filter = idempotency({ ...options, store }, deps)
  let done = 0
  const run = async (call = create(), work: (call: Call) => unknown = () => ({ order: done })) =>
    filter.apply(call, (inner) => {
      done++
      return work(inner)
    })
  /** Work that ends when the test says so. */
  const begin = (call = create()) => {
    let end = (_: unknown): void => {}
    const answer = run(call, () => new Promise((resolve) => (end = resolve)))
    return { answer, end: (value: unknown) => end(value) }
  }
  return { clock, log, events, filter, store, run, begin, done: () => done }
}

const inFlight = expect.objectContaining({ code: 'CONFLICT', verdict: 'retryable', retryAfterMs: 1_000, notSent: true })

/** Promises of WebCrypto end on another thread. */
const settled = async (until: () => boolean): Promise<void> => {
  while (!until()) await new Promise((resolve) => setImmediate(resolve))
}

describe('idempotency', () => {
  it('does the work once, and answers repetitions with its result', async () => {
    const { run, done, events, filter } = setUp()
    const first = await run()
    expect(await run()).toEqual(first)
    expect(await run(create({ id: '2', attempt: 2 }))).toEqual(first)
    expect(done()).toBe(1)
    expect(events).toEqual(Array.from({ length: 2 }, () => ({ target: 'shop', role: 'idempotency', kind: 'replayed' })))
    expect(filter.snapshot?.()).toMatchObject({ fresh: 1, replayed: 2, kept: 1 })
  })

  it('passes a call without a key on, without a promise, unless a key is required', () => {
    const { filter } = setUp()
    const plain = create({ headers: {} })
    expect(filter.apply(plain, () => 7)).toBe(7)
    expect(() => setUp({ required: true }).filter.apply(plain, () => 7)).toThrow(
      expect.objectContaining({ code: 'INVALID_ARGUMENT' }),
    )
  })

  it('tells targets, keys and callers apart', async () => {
    const { run, done } = setUp({ caller: (call) => call.headers.user })
    const calls = [
      create(),
      create({ target: 'shop/other' }),
      create({ headers: { 'idempotency-key': 'k-2' } }),
      create({ headers: { ...headers, user: 'a' } }),
      create({ headers: { ...headers, user: 'a#1' } }),
      create({ headers: { 'idempotency-key': '1#k-1', user: 'a' } }),
      create({ headers: { ...headers, user: 'x'.repeat(600) } }),
      create({ headers: { ...headers, user: 'x'.repeat(601) } }),
    ]
    for (const call of [...calls, ...calls]) await run(call)
    expect(done()).toBe(calls.length)
  })

  it('gives the store keys of a length it must take', async () => {
    const keys: string[] = []
    const memory = memoryIdempotency()
    const store: IdempotencyStore = {
      name: 'spy',
      claim: (claim) => {
        keys.push(claim.key)
        expect(claim.fingerprint.length).toBeLessThanOrEqual(128)
        return memory.claim(claim)
      },
      complete: (key, token, done) => memory.complete(key, token, done),
      release: (key, token) => memory.release(key, token),
    }
    const { run } = setUp({ store, caller: () => 'x'.repeat(600) })
    await run()
    expect(keys[0]).toMatch(/^sha256#[0-9a-f]{64}$/)
  })

  it('refuses another request under the same key, whatever became of the first', async () => {
    const { run, begin, done, events } = setUp()
    const mismatch = expect.objectContaining({ code: 'INVALID_ARGUMENT', verdict: 'permanent' })
    const { answer, end } = begin()
    await settled(() => done() === 1)
    await expect(run(create({ payload: { n: 2 } }))).rejects.toEqual(mismatch)
    end(7)
    await answer
    await expect(run(create({ payload: { n: 2 } }))).rejects.toEqual(mismatch)
    expect(await run(create({ payload: { n: 1, x: undefined } }))).toBe(7)
    expect([done(), events.filter(({ kind }) => kind === 'mismatch').length]).toEqual([1, 2])
  })

  it('goes by the fingerprint that the application gives, and refuses a payload that it cannot tell apart', async () => {
    const { run } = setUp({ fingerprint: async () => 'same' })
    expect(await run(create({ payload: new Map([[1, 1]]) }))).toEqual(await run(create({ payload: 2 })))
    await expect(setUp().run(create({ payload: new Map() }))).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  })

  it('forgets a result when its time is over', async () => {
    const { run, done, clock } = setUp({ ttlMs: 1_000 })
    await run()
    await clock.advance(1_000)
    await run()
    expect(done()).toBe(2)
  })

  it('keeps results that are undefined, and by the codec it is given', async () => {
    const { run, done } = setUp({
      codec: { contentType: 'x/x', encode: () => Uint8Array.of(5), decode: ([first]) => first },
    })
    for (let n = 0; n < 2; n++) expect(await run(create(), () => undefined)).toBeUndefined()
    const other = create({ headers: { 'idempotency-key': 'k-2' } })
    expect([await run(other, () => 'made'), await run(other)]).toEqual(['made', 5])
    expect(done()).toBe(2)
  })

  it('refuses wrong options all at once, and describes itself', () => {
    const wrong = { store: {}, leaseMs: 0, ttlMs: 0, codec: 1, x: 1 } as unknown as IdempotencyOptions
    const issues = ['x', 'store', 'ttlMs', 'leaseMs', 'codec'].map((o) => ({ path: `idempotency.${o}` }))
    expect(() => idempotency(wrong, filterDeps())).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: issues.map((issue) => expect.objectContaining(issue)),
      }),
    )
    expect(setUp().filter.describe()).toMatchObject({ role: 'idempotency', store: 'memory', ttlMs: 86_400_000 })
  })
})

describe('a repetition while the first is under way', () => {
  it('is refused with the time to wait, and a message so that it is handed back', async () => {
    const { run, begin, done } = setUp()
    const { answer, end } = begin()
    await settled(() => done() === 1)
    await expect(run()).rejects.toEqual(inFlight)
    const message = create({ kind: 'handle', target: 'shop.created@points' })
    const handled = begin(message)
    await settled(() => done() === 2)
    await expect(run(message)).rejects.toMatchObject({ code: 'OVERLOADED', notSent: true, retryAfterMs: 1_000 })
    end(7)
    handled.end(undefined)
    expect(await Promise.all([answer, handled.answer, run()])).toEqual([7, undefined, 7])
  })

  it('waits for the result where it may', async () => {
    const { run, begin, clock, done, store } = setUp({ waitMs: 1_000 })
    const { answer, end } = begin()
    await settled(() => done() === 1)
    let asked = 0
    const { claim } = store
    store.claim = (each) => {
      asked++
      return claim.call(store, each)
    }
    const repeated = run()
    await settled(() => asked === 1)
    await clock.advance(500)
    end(7)
    await answer
    await clock.advance(500)
    expect(await repeated).toBe(7)
    expect([done(), asked > 3]).toEqual([1, true])
  })

  it('waits no longer than it may, than its deadline, and than it is wanted', async () => {
    const { run, begin, clock, done, store } = setUp({ waitMs: 1_000 })
    begin()
    await settled(() => done() === 1)
    let asked = 0
    const { claim } = store
    store.claim = (each) => {
      asked++
      return claim.call(store, each)
    }
    const source = cancelSource()
    const reason = new PosthasteError('CANCELLED', 'enough')
    const ends: string[] = []
    const note = (name: string) => (thrown: PosthasteError) => void ends.push(`${name} ${thrown.code}`)
    void run(create({ deadlineAtMs: clock.monotonicMs() + 300 })).catch(note('deadline'))
    void run(create({ cancellation: source.token })).catch(note('cancelled'))
    void run().catch(note('wait'))
    await settled(() => asked === 3)
    for (const [ms, count] of [
      [320, 1],
      [0, 2],
      [700, 3],
    ] as const) {
      if (ms === 0) source.cancel(reason)
      for (let left = ms; left > 0; left -= 20) {
        await clock.advance(20)
        for (let turn = 0; turn < 20; turn++) await new Promise((resolve) => setImmediate(resolve))
      }
      await settled(() => ends.length === count)
    }
    expect(ends).toEqual(['deadline CONFLICT', 'cancelled CANCELLED', 'wait CONFLICT'])
  })
})

describe('work that fails', () => {
  const failing = (error: unknown) => () => Promise.reject(error)

  it.each(['FAILED_PRECONDITION', 'NOT_FOUND', 'CONFLICT', 'INTERNAL'] as const)(
    'for good, with %s, fails the same way again',
    async (code) => {
      const { run, done, events } = setUp()
      const error = new PosthasteError(code, 'no stock', { details: { left: 0 } })
      await expect(run(create(), failing(error))).rejects.toBe(error)
      await expect(run()).rejects.toMatchObject({ code, message: error.message, details: { left: 0 } })
      expect(done()).toBe(1)
      expect(events).toMatchObject([{ kind: 'replayed', code }])
    },
  )

  it.each(['UNAVAILABLE', 'DEADLINE_EXCEEDED', 'CANCELLED', 'PERMISSION_DENIED', 'INVALID_ARGUMENT'] as const)(
    'with %s is done by the repetition',
    async (code) => {
      const { run, done, filter } = setUp()
      await expect(run(create(), failing(new PosthasteError(code, 'it')))).rejects.toMatchObject({ code })
      expect(await run(create(), () => 'done')).toBe('done')
      expect(done()).toBe(2)
      expect(filter.snapshot?.()).toMatchObject({ released: 1, kept: 1 })
    },
  )

  it('is kept or not as the application says, and never of a message', async () => {
    const all = setUp({ keepFailure: () => true })
    await all.run(create(), failing(new TypeError('a fault'))).catch(() => {})
    await expect(all.run()).rejects.toMatchObject({ code: 'INTERNAL', message: expect.stringContaining('a fault') })
    const message = create({ kind: 'handle', target: 'shop.created@points' })
    await all.run(message, failing(new PosthasteError('HANDLER_REJECTED', 'bad'))).catch(() => {})
    expect(await all.run(message, () => 'redriven')).toBe('redriven')
  })

  it('is not begun for a call that is not wanted any more, and leaves the key free', async () => {
    const { run, done } = setUp()
    const source = cancelSource()
    source.cancel(new PosthasteError('CANCELLED', 'enough'))
    await expect(run(create({ cancellation: source.token }))).rejects.toMatchObject({ code: 'CANCELLED' })
    expect(done()).toBe(0)
    await run()
    expect(done()).toBe(1)
  })
})

describe('a result that cannot be kept', () => {
  it.each<[string, unknown]>([
    ['too large', 'x'.repeat(100)],
    ['not encodable', 1n],
    ['a stream', (async function* () {})()],
  ])('for it is %s, is given, and a repetition is told that it was done', async (why, result) => {
    const { run, done, events, log } = setUp({ bytesMax: 50 })
    expect(await run(create(), () => result)).toBe(result)
    await expect(run()).rejects.toMatchObject({
      code: 'FAILED_PRECONDITION',
      message: expect.stringContaining('it was done'),
    })
    expect(done()).toBe(1)
    expect(events[0]).toMatchObject({ kind: 'notKept', why })
    expect(log.entries.map(({ level }) => level)).toEqual(['warn'])
  })

  it('for it is too large for the store, is given, and a repetition is told that it was done', async () => {
    const { run, done, events } = setUp({ store: memoryIdempotency({ bytesMax: 1_024 }, manualClock()) })
    const result = 'x'.repeat(2_000)
    expect(await run(create(), () => result)).toBe(result)
    await expect(run()).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
    expect(done()).toBe(1)
    expect(events[0]).toMatchObject({ kind: 'notKept', why: 'too large' })
  })

  it('of a message, has it handled again: what it publishes must not be lost', async () => {
    const { run, done, events } = setUp({ bytesMax: 50 })
    const message = create({ kind: 'handle', target: 'shop.created@points' })
    const outbox = [{ id: 'm', channel: 'c', headers: {}, body: new Uint8Array(100) }]
    expect(await run(message, () => outbox)).toBe(outbox)
    expect(await run(message, () => outbox)).toBe(outbox)
    expect(done()).toBe(2)
    expect(events).toMatchObject([{ kind: 'notKept', why: 'too large' }, { kind: 'notKept' }])
  })

  it('for another has taken the claim, is given all the same', async () => {
    const { run, begin, clock, done, events } = setUp({ leaseMs: 1_000 })
    const late = begin()
    await settled(() => done() === 1)
    await clock.advance(1_000)
    expect(await run(create(), () => 'theirs')).toBe('theirs')
    late.end('late')
    expect(await late.answer).toBe('late')
    expect(await run()).toBe('theirs')
    expect(events.map(({ kind }) => kind)).toEqual(['leaseLost', 'replayed'])
  })
})

describe('a store that fails', () => {
  const unavailable = new PosthasteError('UNAVAILABLE', 'store down')
  const fails = async (): Promise<never> => {
    throw unavailable
  }

  it('before the work fails the call, and the work is not begun', async () => {
    const { run, done } = setUp({ store: { name: 's', claim: fails, complete: fails, release: fails } })
    await expect(run()).rejects.toBe(unavailable)
    expect(done()).toBe(0)
  })

  it('after the work takes nothing from the caller, neither result nor failure', async () => {
    const store: IdempotencyStore = {
      ...{ name: 's', claim: () => ({ state: 'fresh', token: 't' }), complete: fails, release: fails },
    }
    const { run, events, log } = setUp({ store })
    expect(await run(create(), () => 7)).toBe(7)
    const error = new PosthasteError('OVERLOADED', 'full')
    await expect(run(create(), () => Promise.reject(error))).rejects.toBe(error)
    expect(events).toMatchObject([{ kind: 'notKept', why: 'the store failed' }])
    expect(log.entries.map(({ level }) => level)).toEqual(['warn', 'warn'])
  })
})
