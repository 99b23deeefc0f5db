import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { cancelSource, neverCancelled } from './cancellation.ts'

const gone = new PosthasteError('CANCELLED', 'the caller is gone')
const late = new PosthasteError('DEADLINE_EXCEEDED', 'too late')

/** A parent that counts who listens to it. */
function countingParent() {
  const source = cancelSource()
  let listeners = 0
  const token = {
    get reason() {
      return source.token.reason
    },
    get signal() {
      return source.token.signal
    },
    onCancel(listener: (reason: PosthasteError) => void) {
      const off = source.token.onCancel(listener)
      listeners++
      return () => {
        listeners--
        off()
      }
    },
  }
  return { token, cancel: source.cancel.bind(source), listeners: () => listeners }
}

describe('a cancel source', () => {
  it('has no reason until it is cancelled, and keeps the first one', () => {
    const source = cancelSource()
    expect(source.token.reason).toBeUndefined()
    source.cancel(gone)
    source.cancel(late)
    expect(source.token.reason).toBe(gone)
  })

  it('tells each listener once, before cancel returns', () => {
    const source = cancelSource()
    const told: unknown[] = []
    source.token.onCancel((reason) => told.push(reason))
    source.token.onCancel((reason) => told.push(reason))
    source.cancel(gone)
    source.cancel(late)
    expect(told).toEqual([gone, gone])
  })

  it('tells a listener that comes too late at once', () => {
    const source = cancelSource()
    source.cancel(gone)
    const told: unknown[] = []
    source.token.onCancel((reason) => told.push(reason))
    expect(told).toEqual([gone])
  })

  it('does not tell a listener that was taken back, even by another listener', () => {
    const source = cancelSource()
    const told: string[] = []
    source.token.onCancel(() => {
      told.push('first')
      takeBack()
    })
    const takeBack = source.token.onCancel(() => told.push('second'))
    source.cancel(gone)
    expect(told).toEqual(['first'])
  })

  it('takes back one registration of a function that listens twice', () => {
    const source = cancelSource()
    let told = 0
    const listener = (): void => {
      told++
    }
    source.token.onCancel(listener)
    source.token.onCancel(listener)()
    source.cancel(gone)
    expect(told).toBe(1)
  })

  it('tells the others when a listener throws', () => {
    const source = cancelSource()
    let told = false
    source.token.onCancel(() => {
      throw new Error('a fault')
    })
    source.token.onCancel(() => {
      told = true
    })
    source.cancel(gone)
    expect(told).toBe(true)
  })

  it('gives one signal, which aborts with the reason', () => {
    const source = cancelSource()
    const signal = source.token.signal
    expect(source.token.signal).toBe(signal)
    expect(signal.aborted).toBe(false)
    source.cancel(gone)
    expect(signal.aborted).toBe(true)
    expect(signal.reason).toBe(gone)
  })

  it('gives an aborted signal when it is first looked at after the cancellation', () => {
    const source = cancelSource()
    source.cancel(gone)
    expect(source.token.signal.reason).toBe(gone)
  })
})

describe('a cancel source with a parent', () => {
  it('is cancelled with its parent, and does not cancel it', () => {
    const parent = cancelSource()
    const [first, second] = [cancelSource(parent.token), cancelSource(parent.token)]
    const told: unknown[] = []
    second.token.onCancel((reason) => told.push(reason))
    first.cancel(late)
    expect(parent.token.reason).toBeUndefined()
    expect(told).toEqual([])
    parent.cancel(gone)
    expect(second.token.reason).toBe(gone)
    expect(told).toEqual([gone])
    expect(first.token.reason).toBe(late)
  })

  it('keeps the reason of the parent that was cancelled first, though nobody had looked', () => {
    const parent = cancelSource()
    const child = cancelSource(parent.token)
    parent.cancel(gone)
    child.cancel(late)
    expect(child.token.reason).toBe(gone)
  })

  it('hears of a grandparent', () => {
    const grandparent = cancelSource()
    const child = cancelSource(cancelSource(grandparent.token).token)
    const signal = child.token.signal
    grandparent.cancel(gone)
    expect(signal.reason).toBe(gone)
  })

  it('leaves no listener on its parent unless somebody listens, and none once it is released', () => {
    const parent = countingParent()
    const child = cancelSource(parent.token)
    expect(child.token.reason).toBeUndefined()
    expect(parent.listeners()).toBe(0)
    child.token.onCancel(() => {})
    child.token.onCancel(() => {})
    expect(parent.listeners()).toBe(1)
    child.release()
    child.release()
    expect(parent.listeners()).toBe(0)
  })

  it('leaves its parent when it is cancelled by itself', () => {
    const parent = countingParent()
    const child = cancelSource(parent.token)
    child.token.onCancel(() => {})
    child.cancel(late)
    expect(parent.listeners()).toBe(0)
  })

  it('does not hear of its parent once it is released', () => {
    const parent = countingParent()
    const child = cancelSource(parent.token)
    const told: unknown[] = []
    child.token.onCancel((reason) => told.push(reason))
    child.release()
    child.token.onCancel((reason) => told.push(reason))
    parent.cancel(gone)
    expect(child.token.reason).toBeUndefined()
    expect(told).toEqual([])
    expect(parent.listeners()).toBe(0)
  })

  it('leaves its parent when nobody listens any more, and hears of it again when somebody does', () => {
    const parent = countingParent()
    const child = cancelSource(parent.token)
    const told: unknown[] = []
    const first = child.token.onCancel((reason) => told.push(reason))
    const second = child.token.onCancel((reason) => told.push(reason))
    first()
    expect(parent.listeners()).toBe(1)
    second()
    second()
    expect(parent.listeners()).toBe(0)
    child.token.onCancel((reason) => told.push(reason))
    second()
    expect(parent.listeners()).toBe(1)
    parent.cancel(gone)
    expect(told).toEqual([gone])
  })

  it('still shows a cancellation that came before the release', () => {
    const parent = cancelSource()
    const child = cancelSource(parent.token)
    parent.cancel(gone)
    child.release()
    expect(child.token.reason).toBe(gone)
  })
})

describe('neverCancelled', () => {
  it('has no reason, tells nobody, and shares no signal', () => {
    expect(neverCancelled.reason).toBeUndefined()
    neverCancelled.onCancel(() => expect.unreachable())()
    expect(neverCancelled.signal.aborted).toBe(false)
    expect(neverCancelled.signal).not.toBe(neverCancelled.signal)
  })
})
