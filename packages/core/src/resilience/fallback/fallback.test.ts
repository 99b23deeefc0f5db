import { PosthasteError, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
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

  it('must be told what to answer', () => {
    expect(() => fallback({} as FallbackOptions, deps)).toThrow('fallback.answer is missing')
  })

  it('describes itself', () => {
    expect(fallback({ answer: () => 0 }, deps).describe()).toEqual({ role: 'fallback' })
  })
})
