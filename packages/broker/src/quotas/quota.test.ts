import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { UserQuota } from './quota.ts'

const open = {
  connectionsMax: undefined,
  channelsMax: undefined,
  groupsMax: undefined,
  temporaryGroupsMax: undefined,
  subscriptionsMax: undefined,
  bytesInFlightMax: undefined,
  bytesInHandMax: undefined,
  recordsPerSecondMax: undefined,
}

/** Takes something from a stream. @returns confirms it */
function taking(
  quota: UserQuota,
  [records, bytes]: readonly [number, number],
  credit: () => void,
): () => Promise<void> {
  const { promise, resolve } = Promise.withResolvers<void>()
  quota.took({ records, bytes }, promise, credit)
  return async () => {
    resolve()
    await promise
  }
}

const never = new AbortController().signal

describe('a quota', () => {
  it('gives credit back at once where nothing is limited', async () => {
    const quota = new UserQuota(open, manualClock())
    let given = 0
    await taking(quota, [1_000_000, 1_000_000], () => given++)()
    expect(given).toBe(1)
    expect(await quota.turn({ records: 1_000_000, bytes: 1_000_000 }, never)).toBeTypeOf('function')
  })

  it('holds credit back while too much is in flight, and gives it in order as it gets less', async () => {
    const quota = new UserQuota({ ...open, bytesInFlightMax: 100 }, manualClock())
    const given: number[] = []
    const confirms = [80, 90, 70].map((bytes) => taking(quota, [1, bytes], () => given.push(bytes)))
    await confirms[0]!()
    expect(given).toEqual([])
    await confirms[1]!()
    expect(given).toEqual([80, 90])
    await confirms[2]!()
    expect(given).toEqual([80, 90, 70])
  })

  it('has a stream that is too fast wait as long as it takes to be as fast as allowed', async () => {
    const clock = manualClock()
    const quota = new UserQuota({ ...open, recordsPerSecondMax: 1_000 }, clock)
    const given: string[] = []
    await taking(quota, [100, 1], () => given.push('a tenth of a second'))()
    expect(given).toHaveLength(1)
    await taking(quota, [500, 1], () => given.push('half a second'))()
    await clock.advance(499)
    expect(given).toHaveLength(1)
    await clock.advance(1)
    expect(given).toHaveLength(2)
    await clock.advance(10_000)
    // A pause is worth a tenth of a second, not all of it.
    await taking(quota, [1_000, 1], () => given.push('a second'))()
    await clock.advance(899)
    expect(given).toHaveLength(2)
    await clock.advance(1)
    expect(given).toHaveLength(3)
  })

  it('has calls wait for those before them, whether those came over a stream or were calls', async () => {
    const clock = manualClock()
    const quota = new UserQuota({ ...open, recordsPerSecondMax: 1_000 }, clock)
    const made: string[] = []
    await taking(quota, [200, 1], () => {})()
    for (const name of ['first', 'second'])
      void quota.turn({ records: 300, bytes: 1 }, never).then((done) => {
        made.push(name)
        done?.()
      })
    await clock.advance(99)
    expect(made).toEqual([])
    await clock.advance(1)
    expect(made).toEqual(['first'])
    await clock.advance(300)
    expect(made).toEqual(['first', 'second'])
  })

  it('lets calls in one after the other while too much is in flight, and streams behind them', async () => {
    const quota = new UserQuota({ ...open, bytesInFlightMax: 100 }, manualClock())
    const order: string[] = []
    const confirm = taking(quota, [1, 100], () => order.push('credit'))
    const [first, second] = [1, 2].map((number) =>
      quota.turn({ records: 1, bytes: 1_000 }, never).then((done) => {
        order.push(`call ${number}`)
        return done
      }),
    )
    await confirm()
    const firstDone = await first
    expect(order).toEqual(['call 1'])
    firstDone?.()
    const secondDone = await second
    expect(order).toEqual(['call 1', 'call 2'])
    secondDone?.()
    expect(order).toEqual(['call 1', 'call 2', 'credit'])
  })

  it('does not make a call that was given up, nor charge for it', async () => {
    const clock = manualClock()
    const quota = new UserQuota({ ...open, recordsPerSecondMax: 1_000, bytesInFlightMax: 100 }, clock)
    await taking(quota, [200, 1], () => {})()
    const givenUp = new AbortController()
    const turn = quota.turn({ records: 1_000_000, bytes: 1_000 }, givenUp.signal)
    givenUp.abort()
    expect(await turn).toBeUndefined()
    const next = quota.turn({ records: 1, bytes: 1 }, never)
    await clock.advance(100)
    expect(await next).toBeTypeOf('function')
  })
})
