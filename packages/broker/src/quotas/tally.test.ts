import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Tally } from './tally.ts'

const places = (sessions: number | undefined) => ({
  sessions: { max: sessions, option: 'limits.sessionsMax' },
  subscriptions: { max: 1, option: 'limits.subscriptionsMax' },
  temporaryGroups: { max: undefined, option: 'limits.temporaryGroupsMax' },
})

describe('a tally', () => {
  it('refuses what is one too many, with what to do about it, and takes none of the others then', () => {
    const [all, own] = [new Tally('the broker', places(3)), new Tally("user 'x'", places(2))]
    const take = () => Tally.take('sessions', [all, own])
    const first = take()
    take()
    expect(take).toThrow(
      expect.objectContaining({
        ...{ code: 'OVERLOADED', message: expect.stringContaining("user 'x' has 2 clients") },
        ...{ verdict: 'retryable', remedy: expect.stringContaining('raise limits.sessionsMax') },
      }),
    )
    Tally.take('sessions', [all])
    expect(() => Tally.take('sessions', [all])).toThrow('the broker has 3 clients')
    // Given back once, whoever says so.
    first()
    first()
    take()
    expect(take).toThrow()
  })

  it('has places of each kind for themselves, and any number where nobody says how many', () => {
    const tally = new Tally('the broker', places(undefined))
    Tally.take('subscriptions', [tally])
    expect(() => Tally.take('subscriptions', [tally])).toThrow(
      expect.objectContaining({ verdict: 'permanent', message: expect.stringContaining('1 subscriptions') }),
    )
    for (let at = 0; at < 1_000; at++) Tally.take('temporaryGroups', [tally])
  })

  it('never has more than there may be, and as many as were taken and not given back', () => {
    fc.assert(
      fc.property(fc.array(fc.boolean()), (steps) => {
        const tally = new Tally('the broker', places(5))
        const taken: (() => void)[] = []
        for (const takes of steps) {
          if (!takes) taken.shift()?.()
          else if (taken.length < 5) taken.push(Tally.take('sessions', [tally]))
          else expect(() => Tally.take('sessions', [tally])).toThrow()
        }
      }),
    )
  })
})
