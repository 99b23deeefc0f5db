import { type Filter, PosthasteError, type ServedMethod, service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { filterSlot, type StackEditor } from '../pipeline/stack.ts'
import { manualClock } from '../testing/manual-clock.ts'
import { recordingLog } from '../testing/recording-log.ts'
import type { ServeContext } from './context.ts'
import { createRpc } from './rpc.ts'
import type { ServerStackOptions } from './server-stack.ts'

const Stock = service('shop.Stock', {
  check: { input: z.object({ id: z.coerce.number() }), output: z.object({ available: z.number() }), idempotent: true },
})

type Check = (input: { id: number }, ctx: ServeContext) => { available: number } | Promise<{ available: number }>

function serving(check: Check, options = {}) {
  const clock = manualClock()
  const log = recordingLog()
  const [method] = createRpc({ clock, log }).serve(Stock, { check }, options)
  return { clock, log, method: method as ServedMethod }
}

const incoming = { payload: { id: '7' }, headers: {} }

describe('a served method', () => {
  it('gives the handler the validated input and the caller the validated output', async () => {
    const { method } = serving(({ id }) => ({ available: id, secret: 'x' }) as { available: number })
    expect(await method.dispatch(incoming).result).toEqual({ available: 7 })
  })

  it('waits for whatever can be awaited, whether or not it chains like a promise', async () => {
    const query = (then: (ok: (value: unknown) => void) => void) =>
      ({ then }) as unknown as Promise<{ available: number }>
    const { method } = serving(({ id }) => {
      if (id === 1) return query((ok) => queueMicrotask(() => ok({ available: 1 })))
      return query((ok) => {
        ok({ available: 2 })
        throw new Error('too late to fail')
      })
    })
    expect(await method.dispatch({ ...incoming, payload: { id: 1 } }).result).toEqual({ available: 1 })
    expect(await method.dispatch({ ...incoming, payload: { id: 2 } }).result).toEqual({ available: 2 })
  })

  it('shows the handler the id, the headers and the time that is left', async () => {
    const seen: unknown[] = []
    const { method, clock } = serving(async (_, ctx) => {
      seen.push(ctx.id, ctx.target, ctx.headers, ctx.remainingMs(), ctx.signal.aborted)
      await clock.advance(100)
      seen.push(ctx.remainingMs())
      return { available: 1 }
    })
    await method.dispatch({ ...incoming, id: 'r1', headers: { tenant: 't' }, timeoutMs: 250 }).result
    expect(seen).toEqual(['r1', 'shop.Stock/check', { tenant: 't' }, 250, false, 150])
  })

  it('makes an id where the caller sent none', async () => {
    const ids: string[] = []
    const { method } = serving((_, ctx) => {
      ids.push(ctx.id)
      return { available: 1 }
    })
    await method.dispatch(incoming).result
    await method.dispatch(incoming).result
    expect(ids[0]).toMatch(/^[0-9a-f-]{36}$/)
    expect(new Set(ids).size).toBe(2)
  })

  it('refuses an input that does not fit, without running the handler', async () => {
    let ran = false
    const { method } = serving(() => {
      ran = true
      return { available: 1 }
    })
    await expect(method.dispatch({ payload: { id: 'x' }, headers: {} }).result).rejects.toMatchObject({
      code: 'PAYLOAD_INVALID',
      issues: [{ path: 'id' }],
    })
    expect(ran).toBe(false)
  })

  it('fails as internal where the handler breaks the contract, and keeps what is wrong for the cause', async () => {
    const { method } = serving(() => ({ available: 'many' }) as never)
    const error = (await method.dispatch(incoming).result.catch((thrown: unknown) => thrown)) as PosthasteError
    expect(error).toMatchObject({ code: 'INTERNAL', issues: [], cause: { code: 'PAYLOAD_INVALID' } })
  })

  it('passes the failures a handler means', async () => {
    const error = new PosthasteError('NOT_FOUND', 'no such product')
    const { method } = serving(() => Promise.reject(error))
    await expect(method.dispatch(incoming).result).rejects.toBe(error)
  })

  it.each([
    [
      'thrown',
      () => {
        throw new Error('db: wrong password')
      },
    ],
    ['rejected', () => Promise.reject(new Error('db: wrong password'))],
  ])('tells an unexpected failure to the log and not to the caller: %s', async (_, check) => {
    const { method, log } = serving(check)
    const error = (await method.dispatch(incoming).result.catch((thrown: unknown) => thrown)) as PosthasteError
    expect(error).toMatchObject({ code: 'INTERNAL', verdict: 'permanent' })
    expect(error.cause).toBeUndefined()
    expect(error.message).not.toMatch(/password/)
    expect(log.entries).toMatchObject([
      { level: 'error', fields: { target: 'shop.Stock/check', error: { message: 'db: wrong password' } } },
    ])
  })

  it('does not tell its caller that nothing was sent when that was about a call of the handler', async () => {
    const inner = new PosthasteError('UNAVAILABLE', 'backend is down', {
      details: { zone: 'b' },
      notSent: true,
      retryAfterMs: 5,
    })
    const { method } = serving(() => Promise.reject(inner))
    const error = (await method.dispatch(incoming).result.catch((thrown: unknown) => thrown)) as PosthasteError
    expect(error).toMatchObject({
      code: 'UNAVAILABLE',
      details: { zone: 'b' },
      retryAfterMs: 5,
      message: inner.message,
    })
    expect(error.notSent).toBe(false)
  })
})

describe('the time of a call', () => {
  const never: Check = () => new Promise(() => {})

  it('ends when the caller’s is up, and the handler is told', async () => {
    let signal: AbortSignal | undefined
    const { method, clock } = serving((_, ctx) => {
      signal = ctx.signal
      return new Promise(() => {})
    })
    const result = method.dispatch({ ...incoming, timeoutMs: 100 }).result
    const failed = expect(result).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await clock.advance(110)
    await failed
    expect(signal?.aborted).toBe(true)
    expect(PosthasteError.is(signal?.reason, 'DEADLINE_EXCEEDED')).toBe(true)
  })

  it('ends at the server’s bound, however long the caller would wait', async () => {
    const { method, clock } = serving(never, { timeoutMs: 50 })
    const failed = expect(method.dispatch({ ...incoming, timeoutMs: 1_000 }).result).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    })
    await clock.advance(60)
    await failed
  })

  it('ends when it is cancelled, whether or not the handler notices', async () => {
    let signal: AbortSignal | undefined
    const { method } = serving((_, ctx) => {
      signal = ctx.signal
      return new Promise(() => {})
    })
    const running = method.dispatch(incoming)
    const reason = new PosthasteError('CANCELLED', 'gone')
    running.cancel(reason)
    await expect(running.result).rejects.toBe(reason)
    expect(signal?.reason).toBe(reason)
  })

  it('cannot be cancelled once it has ended', async () => {
    let signal: AbortSignal | undefined
    const check: Check = (_, ctx) => {
      signal = ctx.signal
      return { available: 1 }
    }
    const { method } = serving(check, { stack: (editor: StackEditor<ServerStackOptions>) => editor.remove('deadline') })
    const running = method.dispatch(incoming)
    await running.result
    running.cancel(new PosthasteError('CANCELLED', 'gone'))
    expect(signal?.aborted).toBe(false)
  })
})

describe('serving', () => {
  const Two = service('shop.Two', {
    a: { input: z.any(), output: z.any() },
    b: { input: z.any(), output: z.any() },
  })

  it('lists every missing and unknown handler and every wrong option at once', () => {
    const handlers = { a: 'no function', c: () => 1 } as never
    const options = { timeoutMs: 0, retries: 3, bulkhead: { concurrency: 0 } }
    expect(() => createRpc().serve(Two, handlers, options as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [
          { path: 'serve(shop.Two).retries', message: expect.any(String) },
          { path: 'serve(shop.Two).timeoutMs', message: expect.any(String) },
          { path: 'serve(shop.Two).a', message: 'has no handler' },
          { path: 'serve(shop.Two).b', message: 'has no handler' },
          { path: 'serve(shop.Two).c', message: expect.stringContaining('is not a method') },
          { path: 'serve(shop.Two).bulkhead.concurrency', message: expect.any(String) },
        ],
      }),
    )
  })

  it('refuses a service that is served already', () => {
    const rpc = createRpc()
    rpc.serve(Two, { a: () => 1, b: () => 2 })
    expect(() => rpc.serve(Two, { a: () => 1, b: () => 2 })).toThrow(
      expect.objectContaining({ code: 'CONTRACT_DUPLICATE' }),
    )
  })

  it('keeps the handlers’ own object as `this`', async () => {
    class Handlers {
      readonly #n = 3
      check(): { available: number } {
        return { available: this.#n }
      }
    }
    const [method] = createRpc().serve(Stock, new Handlers())
    expect(await method?.dispatch(incoming).result).toEqual({ available: 3 })
  })

  it('lets the stack be edited by role, and describes it with reasons', async () => {
    const seen: unknown[] = []
    const spy: Filter = {
      role: 'spy',
      describe: () => ({ role: 'spy' }),
      apply(call, next) {
        seen.push(call.payload)
        return next(call)
      },
    }
    const rpc = createRpc()
    const [method] = rpc.serve(
      Stock,
      { check: () => ({ available: 1 }) },
      { stack: (editor) => editor.insertAfter('validation', filterSlot(spy)) },
    )
    await method?.dispatch(incoming).result
    expect(seen).toEqual([{ id: 7 }])
    const [{ side, target, filters } = { filters: [] }] = rpc.describe() as [ReturnType<typeof rpc.describe>[number]]
    expect([side, target]).toEqual(['server', 'shop.Stock/check'])
    expect(filters.map(({ role }) => role)).toEqual(['deadline', 'validation', 'spy', 'output'])
    for (const { why } of filters) expect(why).toEqual(expect.any(String))
  })
})
