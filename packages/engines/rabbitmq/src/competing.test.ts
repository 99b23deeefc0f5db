import { EventEmitter } from 'node:events'
import { type Outcome, PosthasteError } from '@posthaste/contracts'
import { silentLog } from 'posthaste/pipeline'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { TestSink } from '../test/rig.ts'
import { Competing } from './competing.ts'
import type { MemberDeps, Seat } from './membership.ts'
import { Stamps } from './positions.ts'
import { markNames } from './record-codec.ts'

/** A member whose server delivers what the test says, and whose publisher answers as it says. */
async function member() {
  const clock = manualClock()
  const state = { outcome: { ok: true } as Outcome, sent: 0, acked: [] as number[], onSent: () => {} }
  let deliver: (message: unknown) => void = () => {}
  const channel = Object.assign(new EventEmitter(), {
    active: true,
    close: async () => {},
    basicQos: async () => {},
    basicConsume: async (_params: unknown, callback: typeof deliver) => {
      deliver = callback
      return { consumerTag: 'c' }
    },
    basicCancel: async () => {},
    basicAck: ({ deliveryTag }: { readonly deliveryTag: number }) => state.acked.push(deliveryTag),
  })
  const deps = {
    ...{ clock, log: silentLog, random: () => 0 },
    link: { up: async () => {} },
    channels: { open: async () => channel },
    catalogue: {
      queueOf: () => 'q',
      queueTarget: () => ({ exchange: '', routingKey: 'q', mandatory: true }),
    },
    publisher: {
      publish: async () => [],
      send: async (copies: readonly unknown[]) => {
        state.sent += 1
        state.onSent()
        return copies.map(() => state.outcome)
      },
    },
  }
  const spec = { channel: 'orders', group: 'g', member: 'm' }
  const seat = { spec, channel: { keyRanges: 0 }, prepare: async () => {} }
  const sink = new TestSink()
  const subject = new Competing(deps as unknown as MemberDeps, seat as unknown as Seat, sink)
  subject.start()
  subject.grant(1)
  await turns()
  const receive = (deliveryTag: number, headers: Readonly<Record<string, unknown>> = {}) =>
    deliver({ deliveryTag, headers: { 'cloudEvents:id': `m${deliveryTag}`, ...headers }, body: Buffer.alloc(0) })
  const lose = () => {
    channel.active = false
    channel.emit('close')
    channel.active = true
  }
  return { clock, state, sink, subject, receive, lose }
}

/** The headers of one and the same record, wherever it stands. */
function stamped(): Readonly<Record<string, unknown>> {
  return { 'cloudEvents:id': 'a', [markNames.position]: new Stamps().next(1_000) }
}

async function turns(): Promise<void> {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('what came to a member without credit', () => {
  it('goes back after a while, and stays where it could not', async () => {
    const { clock, state, sink, subject, receive } = await member()
    for (const tag of [1, 2, 3]) receive(tag)
    await turns()
    expect(sink.received.map(({ record }) => record.id)).toEqual(['m1'])
    state.outcome = { ok: false, error: new PosthasteError('UNAVAILABLE', 'no connection for publishing') }
    await clock.advance(1_000)
    await turns()
    expect(state).toMatchObject({ sent: 1, acked: [] })
    subject.grant(1)
    await turns()
    expect(sink.received.map(({ record }) => record.id)).toEqual(['m1', 'm2'])
    state.outcome = { ok: true }
    await clock.advance(1_000)
    await turns()
    expect(state).toMatchObject({ sent: 2, acked: [3] })
  })
})

describe('a record that stands twice', () => {
  it('is with a member once: the second goes while the first is unacknowledged', async () => {
    const { state, sink, subject, receive } = await member()
    const record = stamped()
    receive(1, record)
    receive(2, record)
    subject.grant(10)
    await turns()
    receive(3, record)
    await turns()
    expect(sink.received.map(({ tag }) => tag)).toEqual([1])
    expect(state.acked).toEqual([2, 3])
    expect(await subject.settle([{ kind: 'ack', tag: 1 }])).toEqual([{ ok: true }])
    expect(state.acked).toEqual([2, 3, 1])
  })

  it('is kept where it is the copy that the first is being replaced by', async () => {
    const { state, sink, subject, receive } = await member()
    const record = stamped()
    receive(1, record)
    subject.grant(10)
    await turns()
    // The server delivers it before it confirms it.
    state.onSent = () => receive(2, record)
    expect(await subject.settle([{ kind: 'release', tag: 1, countsAttempt: false }])).toEqual([{ ok: true }])
    await turns()
    expect(state.acked).toEqual([1])
    expect(sink.received.map(({ tag }) => tag)).toEqual([1, 2])
  })

  it('is with a member once where nobody knows whether the copy stands', async () => {
    const { state, sink, subject, receive } = await member()
    const record = stamped()
    receive(1, record)
    subject.grant(10)
    await turns()
    state.outcome = { ok: false, error: new PosthasteError('UNAVAILABLE', 'not confirmed') }
    const [outcome] = await subject.settle([{ kind: 'release', tag: 1, countsAttempt: false }])
    expect(outcome?.ok).toBe(false)
    receive(2, record)
    await turns()
    expect(state.acked).toEqual([2])
    expect(sink.received.map(({ tag }) => tag)).toEqual([1])
  })

  it('is with a member once where it could not be given back unseen', async () => {
    const { clock, state, sink, subject, receive } = await member()
    const record = stamped()
    receive(1)
    receive(2, record)
    await turns()
    state.outcome = { ok: false, error: new PosthasteError('UNAVAILABLE', 'not confirmed') }
    await clock.advance(1_000)
    await turns()
    receive(3, record)
    subject.grant(10)
    await turns()
    expect(state.acked).toEqual([3])
    expect(sink.received.map(({ record: { id } }) => id)).toEqual(['m1', 'a'])
  })

  it('comes again after it was given back unseen', async () => {
    const { clock, state, sink, subject, receive } = await member()
    const record = stamped()
    receive(1)
    receive(2, record)
    await turns()
    await clock.advance(1_000)
    await turns()
    expect(state.acked).toEqual([2])
    subject.grant(1)
    await turns()
    receive(3, record)
    await turns()
    expect(sink.received.map(({ record: { id } }) => id)).toEqual(['m1', 'a'])
  })

  it('comes again over the next connection', async () => {
    const { sink, subject, receive, lose } = await member()
    const record = stamped()
    receive(1, record)
    subject.grant(10)
    await turns()
    lose()
    await turns()
    receive(1, record)
    await turns()
    expect(sink.lostTags).toEqual([1])
    expect(sink.received.map(({ tag }) => tag)).toEqual([1, 2])
  })

  it('is two where it was stamped elsewhere: what says the same need not be the same', async () => {
    const { state, sink, subject, receive } = await member()
    for (const tag of [1, 2]) receive(tag, { 'cloudEvents:id': 'a' })
    subject.grant(10)
    await turns()
    expect(state.acked).toEqual([])
    expect(sink.received).toHaveLength(2)
  })
})
