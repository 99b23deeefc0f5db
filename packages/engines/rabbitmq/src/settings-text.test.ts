import type { ChannelSpec } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { parseSettings, settingsText } from './settings-text.ts'
import { differenceIn } from './stored-text.ts'

const counts = fc.integer({ min: 1, max: 2 ** 50 })
const specs: fc.Arbitrary<ChannelSpec> = fc.record(
  {
    name: fc.constant('c'),
    kind: fc.constantFrom('log', 'queue'),
    keyed: fc.boolean(),
    retention: fc.record({ forMs: counts, bytesMax: counts }),
    priorities: fc.integer({ min: 2, max: 10 }),
    deduplicateForMs: counts,
  },
  { requiredKeys: ['name', 'kind', 'keyed'] },
)

describe('the settings of a channel as a text', () => {
  it('come back as they were, and are short enough for the server to say', () => {
    fc.assert(
      fc.property(specs, fc.integer({ min: 1, max: 256 }), (spec, ranges) => {
        const known = { spec, keyRanges: spec.keyed ? ranges : 0 }
        const text = settingsText(known)
        expect(parseSettings('c', text)).toEqual(known)
        expect(text.length).toBeLessThanOrEqual(64)
      }),
    )
  })

  it('are none where somebody else wrote them', () => {
    for (const text of ['', '?', 'x.u', 'l', 'l.k', 'l.u.r', 'l.u.r1.r2'])
      expect(parseSettings('c', text)).toBeUndefined()
  })
})

describe('what the server objects to', () => {
  function objection(text: string): Error {
    return Object.assign(new Error(`QueueDeclare: PRECONDITION_FAILED - ${text}`), { code: 'PRECONDITION_FAILED' })
  }

  it('names the argument and both values', () => {
    const text =
      "inequivalent arg 'x-queue-type' for queue 'q' in vhost '/': received 'classic' but current is 'quorum'"
    expect(differenceIn(objection(text))).toEqual({ setting: 'x-queue-type', wanted: 'classic', found: 'quorum' })
  })

  it('may be a number, or nothing', () => {
    const text =
      "inequivalent arg 'x-message-ttl' for queue 'q' in vhost '/': received none but current is the value '5' of type 'signedint'"
    expect(differenceIn(objection(text))).toEqual({ setting: 'x-message-ttl', wanted: 'none', found: '5' })
  })

  it('is no difference where it says something else', () => {
    expect(differenceIn(objection('invalid arg'))).toBeUndefined()
    expect(differenceIn(new Error('inequivalent arg'))).toBeUndefined()
  })
})
