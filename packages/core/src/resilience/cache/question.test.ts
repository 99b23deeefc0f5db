import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { isQuestion, questionKey } from './question.ts'

describe('a question', () => {
  it('is a call that is idempotent, never a message', () => {
    const is = (kind: 'request' | 'serve' | 'publish' | 'handle', idempotent: boolean) =>
      isQuestion(createCall({ kind, target: 'a/b', id: '1', payload: 1, idempotent }))
    expect([is('request', true), is('serve', true)]).toEqual([true, true])
    expect([is('request', false), is('serve', false)]).toEqual([false, false])
    expect([is('publish', true), is('handle', true)]).toEqual([false, false])
  })
})

describe('the key of a question', () => {
  const keyOf = (target: string, payload: unknown, headers = {}) =>
    questionKey(createCall({ kind: 'request', target, id: '1', payload, headers }))

  it('tells targets, payloads and callers apart, and nothing else', () => {
    const one = keyOf('a/b', { id: 1 })
    expect(keyOf('a/b', { id: 1 }, { traceparent: '00-1' })).toBe(one)
    expect(keyOf('a/c', { id: 1 })).not.toBe(one)
    expect(keyOf('a/b', { id: 2 })).not.toBe(one)
    expect(keyOf('a/b', { id: 1 }, { authorization: 'Bearer x' })).not.toBe(one)
    expect(keyOf('a/b', new Map())).toBeUndefined()
  })
})
