import {
  type Delivery,
  type EngineSubscription,
  type Outcome,
  PosthasteError,
  type Settlement,
  succeeded,
} from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { acknowledge, Member, type MemberOptions } from './member.ts'
import { Witness } from './witness.ts'

const scope = { channel: 'c', group: 'g', keyed: true }

/** A member with the engine's side in the hands of the test. */
function joined(options: MemberOptions = {}, witness = new Witness(), name = 'm') {
  const settled: Settlement[] = []
  const answers: Outcome[] = []
  const clock = manualClock()
  const until = async (condition: () => boolean, what: () => string) => {
    if (!condition()) throw new Error(`never: ${what()}`)
  }
  const member = new Member(name, scope, { ...options, clock, witness, until })
  const subscription: EngineSubscription = {
    grant() {},
    async settle(batch) {
      settled.push(...batch)
      return batch.map(() => answers.shift() ?? succeeded)
    },
    async extend() {},
    async stop() {},
  }
  member.begin(subscription, options.credit ?? 10)
  return { member, witness, settled, answers }
}

let lastTag = 0
function delivery(
  id: string,
  change: Partial<Delivery> & { key?: string; channel?: string; group?: string } = {},
): Delivery {
  const { key, channel = 'c', group, ...rest } = change
  lastTag += 1
  const record = { id, channel, group, key, headers: {}, body: new Uint8Array() }
  return { tag: lastTag, record, attempt: 1, storedAtMs: 0, position: id, ...rest }
}

const lost: Outcome = { ok: false, error: new PosthasteError('DELIVERY_LOST', 'lost') }
const failed: Outcome = { ok: false, error: new PosthasteError('ENGINE_WRITE_FAILED', 'disk full') }

describe('what every member checks', () => {
  it('finds nothing wrong with deliveries that are right', () => {
    const { member, witness } = joined()
    member.deliver([delivery('1', { key: 'k' }), delivery('2', { key: 'k' }), delivery('3')])
    expect(witness.violations).toEqual([])
    expect(member.unsettled.map(({ record }) => record.id)).toEqual(['1', '2', '3'])
    expect(member.credit).toBe(7)
  })

  it.each([
    ['more deliveries than credit', [delivery('1'), delivery('2')], 'm got 1 deliveries more than it had credit for'],
    ['a tag twice', [delivery('1', { tag: 7 }), delivery('2', { tag: 7 })], 'under tag 7, which was used before'],
    ['attempt 0', [delivery('1', { attempt: 0 })], 'as attempt 0'],
    ['another channel', [delivery('1', { channel: 'd' })], 'of channel d instead of c'],
    ['another group', [delivery('1', { group: 'h' })], 'of group h instead of g'],
    ['a record twice', [delivery('1'), delivery('1')], '1 was given to m while m had it'],
  ])('sees %s', (what, batch, violation) => {
    const { member, witness } = joined({ credit: what.startsWith('more') ? 1 : 10 })
    member.deliver(batch)
    expect(witness.violations).toEqual([expect.stringContaining(violation)])
  })

  it('sees a delivery after the member has left, and none while it leaves', async () => {
    const { member, witness } = joined()
    const leaving = member.stop()
    member.deliver([delivery('1')])
    expect(witness.violations).toEqual([])
    await leaving
    member.deliver([delivery('2')])
    expect(witness.violations).toEqual(['m was given 2 after it had left'])
  })

  it('sees a subscription that ends by itself', () => {
    const { member, witness } = joined()
    member.closed(new PosthasteError('UNAVAILABLE', 'gone'))
    expect(witness.violations).toEqual(['the subscription of m ended: [UNAVAILABLE] gone'])
    expect(member.ended).toBe(true)
  })

  it('sees a key with two members at a time, and not one after the other', async () => {
    const witness = new Witness()
    const [a, b] = [joined({}, witness, 'a').member, joined({}, witness, 'b').member]
    a.deliver([delivery('1', { key: 'k' })])
    b.deliver([delivery('2', { key: 'other' }), delivery('3')])
    await a.ackAll(a.unsettled)
    b.deliver([delivery('4', { key: 'k' })])
    expect(witness.violations).toEqual([])
    a.deliver([delivery('5', { key: 'k' })])
    expect(witness.violations).toEqual(['5 of key k was given to a while b had the key'])
  })

  it('holds a delivery for its member when settling fails, and lets go of it when it is lost', async () => {
    const witness = new Witness()
    const { member, answers } = joined({}, witness, 'a')
    const other = joined({}, witness, 'b').member
    member.deliver([delivery('1'), delivery('2')])
    answers.push(failed, lost)
    await member.settle(member.unsettled.map(({ tag }): Settlement => ({ kind: 'ack', tag })))
    expect(member.unsettled.map(({ record }) => record.id)).toEqual(['1'])
    other.deliver([delivery('2')])
    expect(witness.violations).toEqual([])
    other.deliver([delivery('1')])
    expect(witness.violations).toEqual(['1 was given to b while a had it'])
  })

  it('lets go of deliveries that the engine says are lost', () => {
    const witness = new Witness()
    const { member } = joined({}, witness, 'a')
    member.deliver([delivery('1', { tag: 99_999 })])
    member.lost([99_999], new PosthasteError('DELIVERY_LOST', 'rebalance'))
    joined({}, witness, 'b').member.deliver([delivery('1')])
    expect(witness.violations).toEqual([])
  })
})

describe('members that settle as they go', () => {
  it('settle each batch and grant as much again', async () => {
    const { member, settled, witness } = joined({ credit: 2, handle: acknowledge })
    member.deliver([delivery('1'), delivery('2')])
    expect([settled.length, member.credit]).toEqual([0, 0])
    await member.stop()
    expect(witness.violations).toEqual([])
    const again = joined({ credit: 2, handle: acknowledge })
    again.member.deliver([delivery('1'), delivery('2')])
    await new Promise((resolve) => setImmediate(resolve))
    expect(again.settled.map(({ kind }) => kind)).toEqual(['ack', 'ack'])
    expect(again.member.credit).toBe(2)
  })

  it('report a settlement that fails', async () => {
    const { member, answers, witness } = joined({ handle: acknowledge })
    answers.push(failed)
    member.deliver([delivery('1')])
    await new Promise((resolve) => setImmediate(resolve))
    expect(witness.violations).toEqual(['m could not settle: [ENGINE_WRITE_FAILED] disk full'])
  })
})

describe('taking', () => {
  it('gives deliveries in order, or one past others, each once', async () => {
    const { member } = joined()
    const [one, two, three] = ['1', '2', '3'].map((id) => delivery(id))
    if (!one || !two || !three) throw new Error('three deliveries')
    member.deliver([one, two, three])
    expect((await member.receive(two.record)).record.id).toBe('2')
    expect((await member.take(2)).map(({ record }) => record.id)).toEqual(['1', '3'])
    expect(member.waiting).toEqual([])
    await expect(member.next()).rejects.toThrow('never: m to receive 1, has 0')
  })
})
