import { PosthasteError, type Service } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { type BreakersOptions, breakers } from './breakers.ts'

const callTo = (target: string) => createCall({ kind: 'request', target, id: '1', payload: 1 })
const failing: Service<number, number> = () => {
  throw new PosthasteError('UNAVAILABLE', 'down')
}

function setUp(options: BreakersOptions = {}) {
  const log = recordingLog()
  const deps = filterDeps({ clock: manualClock(), log, random: () => 0.5 })
  const filter = breakers({ breaker: { callsMin: 1 }, ...options }, deps)
  const codeOf = (target: string, service: Service<number, number>): string => {
    try {
      return String(filter.apply(callTo(target), service))
    } catch (error) {
      return PosthasteError.is(error) ? error.code : 'something else'
    }
  }
  return { filter, codeOf, log }
}

describe('breakers', () => {
  it('opens for the target that fails and for no other', () => {
    const { codeOf, filter, log } = setUp()
    expect(codeOf('a', failing)).toBe('UNAVAILABLE')
    expect(codeOf('a', () => 1)).toBe('BREAKER_OPEN')
    expect(codeOf('b', () => 1)).toBe('1')
    expect(filter.describe()).toMatchObject({ role: 'breaker', callsMin: 1, keysMax: 1_000 })
    expect(filter.snapshot()).toMatchObject({
      role: 'breaker',
      keys: 1,
      freshKeys: 1,
      notClosed: [{ key: 'a', state: 'open', calls: 1, failures: 1, notReadyForMs: 5_000 }],
      notClosedCount: 1,
      openings: 1,
      rejected: 1,
    })
    expect(log.entries[0]?.fields).toMatchObject({ target: 'a' })
  })

  it('tells calls apart by the given key', () => {
    const { codeOf } = setUp({ key: ({ target }) => target.charAt(0) })
    codeOf('a1', failing)
    expect(codeOf('a2', () => 1)).toBe('BREAKER_OPEN')
  })

  it('refuses wrong options when it is made, its breakers’ own too', () => {
    expect(() => setUp({ keysMax: 0 })).toThrow('breakers.keysMax')
    expect(() => setUp({ breaker: { probes: 0 } })).toThrow('breaker.probes')
  })
})
