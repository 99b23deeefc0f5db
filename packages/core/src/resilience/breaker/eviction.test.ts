import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { type Breakers, breakers } from './breakers.ts'

const keysMax = 3
const down = new PosthasteError('UNAVAILABLE', 'down')

const key = fc.nat(8).map(String)
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ key, fails: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ key, to: fc.constantFrom('open' as const, 'closed' as const, undefined) }) },
  { weight: 1, arbitrary: fc.record({ advanceMs: fc.nat(400) }) },
)

function look(filter: Breakers) {
  const { keys, notClosed } = filter.snapshot() as unknown as {
    keys: number
    notClosed: { key: string; forced?: string }[]
  }
  const troubled = notClosed.filter(({ forced }) => forced === undefined).map((one) => one.key)
  return { troubled, counted: keys - (notClosed.length - troubled.length), closed: keys - notClosed.length }
}

function call(filter: Breakers, target: string, fails: boolean): void {
  try {
    filter.apply(createCall({ kind: 'request', target, id: '1', payload: 1 }), () => {
      if (fails) throw down
    })
  } catch {
    // Down, or refused.
  }
}

describe('breakers without room', () => {
  it.each([{ windowMs: 1_000 }, { windowCalls: 5 }])(
    'are never more than they may be, and none is forgotten that is not closed while one that is closed is there: %o',
    async (window) => {
      const program = fc.array(step, { minLength: 50, maxLength: 150 })
      const property = fc.asyncProperty(program, async (steps) => {
        const clock = manualClock()
        const settings = { callsMin: 2, openMs: 300, probes: 1, ...window }
        const filter = breakers({ keysMax, breaker: settings }, filterDeps({ clock, random: () => 0.5 }))
        for (const one of steps) {
          const before = look(filter)
          if ('fails' in one) call(filter, one.key, one.fails)
          else if ('advanceMs' in one) await clock.advance(one.advanceMs)
          else filter.force(one.key, one.to)
          const after = look(filter)
          if (after.counted > keysMax) return false
          const own = 'key' in one ? one.key : undefined
          const forgotten = before.troubled.filter((gone) => gone !== own && !after.troubled.includes(gone))
          if (before.closed > 0 && forgotten.length > 0) return false
        }
        return true
      })
      await fc.assert(property, { numRuns: 60 })
    },
  )
})
