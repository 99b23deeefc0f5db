import { type Cancellation, PosthasteError, type ServedMethod, service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { manualClock } from '../testing/manual-clock.ts'
import type { ServeContext } from './context.ts'
import { localTransport } from './local-transport.ts'
import { createRpc } from './rpc.ts'

const Stock = service('shop.Stock', {
  check: {
    input: z.object({ id: z.string().transform(Number) }),
    output: z.object({ at: z.date(), available: z.number().transform(String) }),
  },
})

function calling(
  check: (input: { id: number }, ctx: ServeContext) => { at: Date; available: number } | Promise<never>,
) {
  const clock = manualClock()
  const rpc = createRpc({ clock })
  const client = rpc.client(Stock, { timeoutMs: 100 })
  rpc.serve(Stock, { check })
  return { clock, client }
}

const at = new Date(0)

describe('calls within the process', () => {
  it('apply each schema once, so that transformations need not be repeatable', async () => {
    const { client } = calling(({ id }) => ({ at, available: id + 1 }))
    expect(await client.check({ id: '7' })).toEqual({ at, available: '8' })
  })

  it('carry headers, the id and what is left of the time', async () => {
    const seen: unknown[] = []
    const { client } = calling((_, ctx) => {
      seen.push(ctx.headers, ctx.remainingMs(), ctx.id)
      return { at, available: 1 }
    })
    await client.check({ id: '1' }, { headers: { tenant: 't' }, timeoutMs: 70 })
    expect(seen).toEqual([{ tenant: 't' }, 70, expect.any(String)])
  })

  it('cancel the handler when the caller gives up', async () => {
    let signal: AbortSignal | undefined
    const { client } = calling((_, ctx) => {
      signal = ctx.signal
      return new Promise(() => {})
    })
    const controller = new AbortController()
    const call = client.check({ id: '1' }, { signal: controller.signal })
    controller.abort(new Error('user left'))
    await expect(call).rejects.toMatchObject({ code: 'CANCELLED', cause: { message: 'user left' } })
    expect(PosthasteError.is(signal?.reason, 'CANCELLED')).toBe(true)
  })

  it('cancel the handler when the caller’s time is up', async () => {
    let signal: AbortSignal | undefined
    const { client, clock } = calling((_, ctx) => {
      signal = ctx.signal
      return new Promise(() => {})
    })
    const failed = expect(client.check({ id: '1' })).rejects.toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    await clock.advance(120)
    await failed
    expect(signal?.aborted).toBe(true)
  })

  it('leave nothing on a long-lived caller’s cancellation', async () => {
    const rpc = createRpc()
    const [served] = rpc.serve(Stock, { check: () => ({ at, available: 1 }) })
    let listening = 0
    const cancellation: Cancellation = {
      reason: undefined,
      signal: new AbortController().signal,
      onCancel() {
        listening++
        return () => void listening--
      },
    }
    const transport = localTransport(() => served)
    const answer = transport.call(served as ServedMethod, { payload: { id: '1' }, headers: {}, cancellation })
    expect(listening).toBe(1)
    await answer
    expect(listening).toBe(0)
  })

  it('say so when nobody serves the method', async () => {
    await expect(createRpc().client(Stock).check({ id: '1' })).rejects.toMatchObject({
      code: 'UNIMPLEMENTED',
      message: expect.stringContaining('shop.Stock/check'),
    })
  })

  it('pass the time and the cancellation of one call on to those made within it', async () => {
    const clock = manualClock()
    const rpc = createRpc({ clock })
    const Outer = service('shop.Outer', { run: { input: z.any(), output: z.any() } })
    const inner = rpc.client(Stock)
    let seen: { leftMs: number; signal: AbortSignal } | undefined
    rpc.serve(Stock, {
      check: (_, ctx) => {
        seen = { leftMs: ctx.remainingMs(), signal: ctx.signal }
        return new Promise<never>(() => {})
      },
    })
    rpc.serve(Outer, { run: (_, ctx) => inner.check({ id: '1' }, { within: ctx }) })
    const controller = new AbortController()
    const call = rpc.client(Outer).run({}, { timeoutMs: 500, signal: controller.signal })
    const failed = expect(call).rejects.toMatchObject({ code: 'CANCELLED' })
    await clock.advance(0)
    expect(seen?.leftMs).toBe(500)
    controller.abort()
    await failed
    expect(seen?.signal.aborted).toBe(true)
  })
})
