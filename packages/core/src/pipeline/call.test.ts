import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from './call.ts'
import { cancelSource } from './cancellation.ts'

const given = { kind: 'request', target: 'shop.Inventory/checkStock', id: 'r1', payload: { productId: 7 } } as const

describe('a call', () => {
  it('has no headers, no deadline and one attempt unless told otherwise', () => {
    const call = createCall(given)
    expect(call).toMatchObject({ ...given, headers: {}, deadlineAtMs: Infinity, attempt: 1, idempotent: false })
    expect(call.cancellation.reason).toBeUndefined()
  })

  it('keeps everything it is made of', () => {
    const all = { ...given, headers: { traceparent: 't' }, deadlineAtMs: 5, attempt: 3, idempotent: true }
    const cancellation = cancelSource().token
    const call = createCall({ ...all, cancellation })
    expect(call).toMatchObject(all)
    expect(call.cancellation).toBe(cancellation)
  })

  it('stays as it is when another is derived from it', () => {
    const call = createCall({ ...given, headers: { a: '1' }, deadlineAtMs: 5, idempotent: true })
    const derived = call.derive({ headers: { a: '2' }, attempt: 2, deadlineAtMs: 4 })
    expect(derived).toMatchObject({ ...given, headers: { a: '2' }, attempt: 2, deadlineAtMs: 4, idempotent: true })
    expect(call).toMatchObject({ headers: { a: '1' }, attempt: 1, deadlineAtMs: 5 })
  })

  it('keeps what a derivation does not change', () => {
    const cancellation = cancelSource().token
    const call = createCall({ ...given, headers: { a: '1' }, deadlineAtMs: 5, attempt: 2, cancellation })
    const derived = call.derive({})
    expect(derived).toMatchObject({ headers: { a: '1' }, deadlineAtMs: 5, attempt: 2 })
    expect(derived.cancellation).toBe(cancellation)
  })

  it('takes another payload and keeps the rest', () => {
    const call = createCall({ ...given, attempt: 2, deadlineAtMs: 9, idempotent: true })
    const decoded = call.withPayload('seven')
    expect(decoded).toMatchObject({ ...given, payload: 'seven', attempt: 2, deadlineAtMs: 9, idempotent: true })
    expect(call.payload).toEqual({ productId: 7 })
  })

  it('shows its cancellation as one signal', () => {
    const source = cancelSource()
    const call = createCall({ ...given, cancellation: source.token })
    const gone = new PosthasteError('CANCELLED', 'gone')
    source.cancel(gone)
    expect(call.signal.reason).toBe(gone)
    expect(createCall(given).signal.aborted).toBe(false)
  })

  it('gives the same signal at every look, also where nobody can cancel', () => {
    const call = createCall(given)
    expect(call.signal).toBe(call.signal)
  })
})
