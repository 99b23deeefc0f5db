import { describe, expect, it } from 'vitest'
import { allocatingFunctions, bytesPerCall, heldUnderWay } from './heap.ts'

class Token {
  readonly made = 0
}

/** Calls that wait for a gate, holding what they are given to hold. */
function gated(hold: () => unknown) {
  const gate = Promise.withResolvers<void>()
  const held: unknown[] = []
  return {
    begin(): Promise<void> {
      held.push(hold())
      return gate.promise
    },
    async end(): Promise<void> {
      gate.resolve()
      held.length = 0
    },
  }
}

describe('what calls hold while they are under way', () => {
  it('is counted by kind: closures apart from what the language makes, objects by class', async () => {
    const calls = gated(() => {
      const token = new Token()
      const timer = setTimeout(() => {}, 1_000).unref()
      return { closure: () => token, timer, ...Promise.withResolvers() }
    })
    const held = await heldUnderWay(200, calls)
    // The second closure is the timer's.
    expect(held).toMatchObject({ Token: 1, closure: 2, Timeout: 1, Promise: 1, 'function of a promise': 2 })
    expect(held).not.toHaveProperty('Map')
  })
})

describe('what calls allocate', () => {
  const allocate = (): Float64Array => new Float64Array(100)

  it('is told in bytes, where the engine counts them', async () => {
    const bytes = await bytesPerCall(() => allocate(), 2_000)
    // Node counts them from version 25 on.
    if (!Number.isNaN(bytes)) expect(bytes).toBeGreaterThan(100)
  })

  it('is told by function, what is garbage already included', async () => {
    const functions = await allocatingFunctions(function allocating() {
      return { payload: [1, 2, 3, 4, 5, 6, 7, 8] }
    }, 20_000)
    const [own] = functions.filter(({ name }) => name === 'allocating')
    expect(own?.bytes).toBeGreaterThan(20)
    expect(own?.place).toMatch(/bench\/pipeline\/heap\.int\.test\.ts:\d+$/)
  })
})
