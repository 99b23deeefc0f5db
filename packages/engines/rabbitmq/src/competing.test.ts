import { EventEmitter } from 'node:events'
import { type Outcome, PosthasteError } from '@posthaste/contracts'
import { silentLog } from 'posthaste/pipeline'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { TestSink } from '../test/rig.ts'
import { Competing } from './competing.ts'
import type { MemberDeps, Seat } from './membership.ts'

/** A member whose server delivers what the test says, and whose publisher answers as it says. */
async function member() {
  const clock = manualClock()
  const state = { outcome: { ok: true } as Outcome, sent: 0, acked: [] as number[] }
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
      send: async (copies: readonly unknown[]) => {
        state.sent += 1
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
  const receive = (deliveryTag: number) =>
    deliver({ deliveryTag, headers: { 'cloudEvents:id': `m${deliveryTag}` }, body: Buffer.alloc(0) })
  return { clock, state, sink, subject, receive }
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
