import type { Schema } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { createCall } from './call.ts'
import { compose } from './compose.ts'
import { validateWith, validation } from './validation.ts'

const Order = z.object({ orderNo: z.string(), items: z.array(z.object({ quantity: z.number().default(1) })) })

describe('validateWith', () => {
  it('gives the output of the schema, at once', () => {
    expect(validateWith(Order, { orderNo: 'A1', items: [{}] }, 'an order')).toEqual({
      orderNo: 'A1',
      items: [{ quantity: 1 }],
    })
  })

  it('refuses with every issue and its dotted path', () => {
    expect(() => validateWith(Order, { items: [{ quantity: 'two' }] }, 'shop.order.created')).toThrow(
      expect.objectContaining({
        code: 'PAYLOAD_INVALID',
        verdict: 'permanent',
        message: expect.stringContaining('shop.order.created: orderNo: '),
        issues: [expect.objectContaining({ path: 'orderNo' }), expect.objectContaining({ path: 'items.0.quantity' })],
      }),
    )
  })

  it('waits for a schema that does', async () => {
    const slow: Schema<unknown, number> = {
      '~standard': { version: 1, vendor: 'test', validate: async (value) => ({ value: Number(value) }) },
    }
    await expect(validateWith(slow, '7', 'a number')).resolves.toBe(7)
  })

  it('reads paths of keys and of objects with keys, and issues without a path', () => {
    const issues = [{ message: 'a', path: ['x', { key: 1 }, { key: Symbol.for('s') }] }, { message: 'b' }]
    const schema: Schema<unknown, never> = { '~standard': { version: 1, vendor: 'test', validate: () => ({ issues }) } }
    const paths = [
      { path: 'x.1.Symbol(s)', message: 'a' },
      { path: '', message: 'b' },
    ]
    expect(() => validateWith(schema, 1, 'it')).toThrow(expect.objectContaining({ issues: paths }))
    expect(() => validateWith(schema, 1, 'it')).toThrow('it: x.1.Symbol(s): a; b')
  })
})

describe('the validation filter', () => {
  const quantities = compose([validation(Order)], ({ payload }: { readonly payload: unknown }) => payload)
  const callWith = (payload: unknown) =>
    createCall<unknown>({ kind: 'serve', target: 'shop.Orders/create', id: '1', payload })

  it('passes the output on in place of the payload', () => {
    expect(quantities(callWith({ orderNo: 'A1', items: [{}], more: 1 }))).toEqual({
      orderNo: 'A1',
      items: [{ quantity: 1 }],
    })
  })

  it('does not pass on what does not fit', () => {
    let reached = false
    const service = compose([validation(Order)], () => {
      reached = true
    })
    expect(() => service(callWith({}))).toThrow(expect.objectContaining({ code: 'PAYLOAD_INVALID' }))
    expect(reached).toBe(false)
  })

  it('names itself and who made the schema', () => {
    expect(validation(Order).describe()).toEqual({ role: 'validation', vendor: 'zod' })
  })
})
