import { PosthasteError } from '@posthaste/contracts'
import type { LinkStream } from '@posthaste/link/connection'
import { manualClock, silentLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Grants } from '../access/grants.ts'
import { Tally } from '../quotas/tally.ts'
import { Session } from './session.ts'
import type { Subscription } from './subscription.ts'
import type { Surroundings } from './surroundings.ts'

const none = { max: undefined, option: '' }
const places = new Tally('the broker', { sessions: none, subscriptions: none, temporaryGroups: none })
const gone = new PosthasteError('UNAVAILABLE', 'the connection is gone')
const sessionMs = 60_000

/** A client with watchings 1 to 3 and subscriptions 4 to 6, all of which have lost their connection with it. */
function rig() {
  const clock = manualClock()
  const around = { clock, log: silentLog, places, isKept: () => false } as unknown as Surroundings
  const grants = { places } as Grants
  const session = new Session({ id: 's', number: 1, instance: 'i', grants, sessionMs }, around, () => {})
  const ended: number[] = []
  const stream = (): LinkStream => ({ end() {}, fail() {} }) as unknown as LinkStream
  const watch = (number: number) =>
    session.watchings.begin(number, { pattern: `${number}.*`, stop: () => void ended.push(number), giveBack() {} })
  const subscriptions = new Map([4, 5, 6].map((number) => [number, { isOrphan: true }]))
  for (const [number, state] of subscriptions) {
    const end = async (): Promise<void> => void ended.push(number)
    const spec = { channel: 'c', group: 'g', member: 'm' }
    session.subscriptions.set(number, Object.assign(state, { spec, stop: end, vanish: end }) as unknown as Subscription)
  }
  const first = stream()
  session.attach(first)
  for (const number of [1, 2, 3]) watch(number).isOrphan = true
  session.detach(first, gone)
  return { clock, session, ended, stream, watch, subscriptions }
}

describe('a session that goes on', () => {
  it('holds for its client what went with the connection, until that had time enough to begin it again', async () => {
    const { clock, session, ended, stream, watch, subscriptions } = rig()
    await clock.advance(sessionMs - 1)
    session.attach(stream())
    watch(2)
    subscriptions.get(5)!.isOrphan = false
    // The one whose place it took.
    expect(ended.splice(0)).toEqual([2])
    await clock.advance(29_999)
    expect(ended).toEqual([])
    await clock.advance(1)
    expect(ended).toEqual([1, 3, 4, 6])
    expect(session.watchings.numbers).toEqual([2])
    // And of what is lost later, nothing.
    subscriptions.get(5)!.isOrphan = true
    await clock.advance(1_000_000)
    expect(ended).toEqual([1, 3, 4, 6])
  })

  it('begins to count anew with each connection, since the last may have been too short', async () => {
    const { clock, session, ended, stream } = rig()
    const second = stream()
    session.attach(second)
    await clock.advance(29_000)
    session.detach(second, gone)
    await clock.advance(29_000)
    session.attach(stream())
    await clock.advance(29_999)
    expect(ended).toEqual([])
    await clock.advance(1)
    expect(ended).toHaveLength(6)
  })

  it('knows what went with a connection that was lost without anybody noticing, before another followed it', async () => {
    const { clock, session, ended, stream, watch, subscriptions } = rig()
    session.attach(stream())
    for (const state of subscriptions.values()) state.isOrphan = false
    const [first, second] = [watch(1), watch(2)]
    watch(3)
    ended.length = 0
    await clock.advance(60_000)
    first.isOrphan = true
    second.isOrphan = true
    session.orphaned()
    session.orphaned()
    await clock.advance(29_999)
    watch(2)
    expect(ended.splice(0)).toEqual([2])
    await clock.advance(1)
    expect(ended).toEqual([1])
  })

  it('ends all of it at once where the client does not come back, and nothing twice', async () => {
    const { clock, ended } = rig()
    await clock.advance(sessionMs)
    expect(ended.toSorted()).toEqual([1, 2, 3, 4, 5, 6])
    await clock.advance(1_000_000)
    expect(ended).toHaveLength(6)
  })
})
