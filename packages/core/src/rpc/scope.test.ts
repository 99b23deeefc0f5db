import { getEventListeners } from 'node:events'
import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { cancelSource, neverCancelled } from '../pipeline/cancellation.ts'
import { scopeOf } from './scope.ts'

const never = new AbortController().signal

describe('what can give a call up', () => {
  it('is nobody where nothing is given', () => {
    expect(scopeOf({}).cancellation).toBe(neverCancelled)
  })

  it('is the signal, also one that has aborted already', () => {
    const controller = new AbortController()
    const scope = scopeOf({ signal: controller.signal })
    expect(scope.cancellation.reason).toBeUndefined()
    controller.abort('why')
    expect(scope.cancellation.reason).toMatchObject({ code: 'CANCELLED', cause: 'why' })
    expect(scopeOf({ signal: controller.signal }).cancellation.reason).toMatchObject({ code: 'CANCELLED' })
  })

  it('is the work it is made within, by its cancellation or by its signal', () => {
    const reason = new PosthasteError('DELIVERY_LOST', 'lost')
    const source = cancelSource()
    const byToken = scopeOf({ within: { deadlineAtMs: 1, signal: never, cancellation: source.token } })
    source.cancel(reason)
    expect(byToken.cancellation.reason).toBe(reason)
    const controller = new AbortController()
    const bySignal = scopeOf({ within: { deadlineAtMs: 1, signal: controller.signal } })
    controller.abort(reason)
    expect(bySignal.cancellation.reason).toBe(reason)
  })

  it('is either of both', () => {
    const source = cancelSource()
    const scope = scopeOf({ signal: never, within: { deadlineAtMs: 1, signal: never, cancellation: source.token } })
    source.cancel(new PosthasteError('CANCELLED', 'outer'))
    expect(scope.cancellation.reason?.message).toMatch(/outer/)
  })

  it('leaves no listener on signals once the call is left', () => {
    const own = new AbortController()
    const outer = new AbortController()
    const scope = scopeOf({ signal: own.signal, within: { deadlineAtMs: 1, signal: outer.signal } })
    expect(getEventListeners(own.signal, 'abort')).toHaveLength(1)
    scope.leave()
    expect(getEventListeners(own.signal, 'abort')).toHaveLength(0)
    expect(getEventListeners(outer.signal, 'abort')).toHaveLength(0)
  })
})
