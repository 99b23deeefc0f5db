import { describe, expect, it } from 'vitest'
import { andThen, attempt, isPromiseLike } from './maybe-promise.ts'

const fault = new Error('a fault')
const double = (n: number): number => n * 2

describe('isPromiseLike', () => {
  it('tells promises and other thenables from values', () => {
    // biome-ignore lint/suspicious/noThenProperty: a thenable is what is tested
    const thenable = { then: () => undefined }
    expect(isPromiseLike(Promise.resolve(1))).toBe(true)
    expect(isPromiseLike(thenable as unknown as PromiseLike<number>)).toBe(true)
    // biome-ignore lint/suspicious/noThenProperty: a property of that name that cannot be called
    for (const value of [1, undefined, null, 'then', { then: 1 }, []]) expect(isPromiseLike<unknown>(value)).toBe(false)
  })
})

describe('andThen', () => {
  it('passes a value on at once, without a promise', () => {
    expect(andThen(21, double)).toBe(42)
  })

  it('passes a promised value on when it is there', async () => {
    await expect(andThen(Promise.resolve(21), double)).resolves.toBe(42)
  })

  it('gives a rejection to the failure handler', async () => {
    await expect(andThen(Promise.reject(fault), double, (thrown) => (thrown === fault ? 7 : 0))).resolves.toBe(7)
  })

  it('lets a rejection through where there is no failure handler', async () => {
    await expect(andThen(Promise.reject(fault), double)).rejects.toBe(fault)
  })
})

describe('attempt', () => {
  const ok = (n: number): string => `ok ${n}`
  const failed = (thrown: unknown): string => `failed ${(thrown as Error).message}`
  const throwing = (): number => {
    throw fault
  }

  it('treats a value and a promise alike', async () => {
    expect(attempt(() => 1, ok, failed)).toBe('ok 1')
    await expect(attempt(() => Promise.resolve(1), ok, failed)).resolves.toBe('ok 1')
  })

  it('treats a throw and a rejection alike', async () => {
    expect(attempt(throwing, ok, failed)).toBe('failed a fault')
    await expect(attempt(() => Promise.reject(fault), ok, failed)).resolves.toBe('failed a fault')
  })

  it('does not give what the success handler throws to the failure handler', async () => {
    const zero = (): number => 0
    expect(() => attempt(() => 1, throwing, zero)).toThrow(fault)
    await expect(attempt(() => Promise.resolve(1), throwing, zero)).rejects.toBe(fault)
  })
})

describe('the module', () => {
  it('has no export named then, which would make import() call it', async () => {
    expect(Object.keys(await import('./maybe-promise.ts'))).not.toContain('then')
  })
})
