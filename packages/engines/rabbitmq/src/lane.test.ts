import { EventEmitter } from 'node:events'
import { PosthasteError } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import type { Channel } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import type { Confirmation } from './confirms.ts'
import { Lane, type Outbound } from './lane.ts'

/** A lane on a channel whose server answers as the test says. */
function lane() {
  const clock = manualClock()
  const stuck: (string | undefined)[] = []
  const writes: Buffer[] = []
  const unconfirmed = new Map<number, Confirmation>()
  const channel = Object.assign(new EventEmitter(), {
    id: 1,
    active: true,
    close: async () => {},
    _state: {
      ...{ maxFrameSize: 4_096, deliveryCount: 1, unconfirmed },
      stream: { write: (frames: Iterable<Buffer>) => writes.push(Buffer.concat([...frames])) },
    },
    _onMethod: (_frame: { readonly methodId: number }) => {},
  })
  const onStuck = (_lane: Lane, first: Outbound) => stuck.push(first.envelope.routingKey)
  const subject = new Lane(channel as unknown as Channel, { clock, timeoutMs: 1_000, onStuck })
  return { clock, stuck, writes, unconfirmed, channel, subject }
}

function message(routingKey: string, stamp = routingKey): Outbound {
  return { envelope: { exchange: '', routingKey, headers: { 'posthaste-position': stamp } }, body: Buffer.from('x') }
}

function comesBack(routingKey: string, stamp: string | undefined) {
  const headers = stamp === undefined ? {} : { 'posthaste-position': stamp }
  return { exchange: '', routingKey, headers, replyText: 'NO_ROUTE' }
}

const notFound = { ok: false, error: { code: 'NOT_FOUND' } }
const turn = () => new Promise((resolve) => setImmediate(resolve))
const unavailable = { ok: false, error: { code: 'UNAVAILABLE' } }

describe('a lane', () => {
  it('writes what is sent in one turn at once, and answers each call when all of it is confirmed', async () => {
    const { subject, writes, unconfirmed } = lane()
    const calls = [subject.transmit([message('a'), message('b')]), subject.transmit([message('c')])]
    await turn()
    expect(writes).toHaveLength(1)
    expect([...unconfirmed.keys()]).toEqual([1, 2, 3])
    for (const each of unconfirmed.values()) each.resolve()
    expect(await Promise.all(calls)).toEqual([[{ ok: true }, { ok: true }], [{ ok: true }]])
  })

  it('answers each message for itself: refused before, too large, or not confirmed', async () => {
    const { subject, unconfirmed } = lane()
    const refused = new PosthasteError('INVALID_ARGUMENT', 'no')
    const large = { envelope: { headers: { big: 'x'.repeat(5_000) } }, body: Buffer.alloc(0) }
    const call = subject.transmit([refused, large, message('a'), message('b')])
    unconfirmed.get(1)?.reject(new Error('closed'))
    unconfirmed.get(2)?.resolve()
    const invalid = { ok: false, error: { code: 'INVALID_ARGUMENT' } }
    expect(await call).toMatchObject([invalid, invalid, unavailable, { ok: true }])
  })

  it('tells what came back, though the client tells it after the confirm', async () => {
    const { subject, channel, unconfirmed } = lane()
    const call = subject.transmit([message('gone', 's1'), message('there', 's2')])
    channel._onMethod({ methodId: 0x003c_0032 })
    setImmediate(() => channel.emit('basic.return', comesBack('gone', 's1')))
    for (const each of unconfirmed.values()) each.resolve()
    expect(await call).toMatchObject([notFound, { ok: true }])
  })

  it('tells what came back from those without a stamp to another place, and of all with an equal one', async () => {
    const { subject, channel, unconfirmed } = lane()
    const signal = (routingKey: string): Outbound => ({ envelope: { routingKey, headers: {} }, body: Buffer.alloc(0) })
    const calls = [subject.transmit([signal('there')]), subject.transmit([signal('gone')])]
    const equal = subject.transmit([message('gone', 's'), message('gone', 's')])
    channel.emit('basic.return', comesBack('gone', undefined))
    for (const _ of [1, 2]) channel.emit('basic.return', comesBack('gone', 's'))
    for (const each of unconfirmed.values()) each.resolve()
    expect(await Promise.all(calls)).toMatchObject([[{ ok: true }], [notFound]])
    expect(await equal).toMatchObject([notFound, notFound])
  })

  it('answers in time what nobody confirms, and says which was the first', async () => {
    const { subject, clock, stuck, unconfirmed } = lane()
    const call = subject.transmit([message('a'), message('b'), message('c')])
    unconfirmed.get(1)?.resolve()
    await clock.advance(1_200)
    expect(await call).toMatchObject([{ ok: true }, unavailable, unavailable])
    expect(stuck).toEqual(['b'])
    await subject.idle()
  })

  it('is for a client that it knows', () => {
    const channel = Object.assign(new EventEmitter(), { _state: {} })
    const deps = { clock: manualClock(), timeoutMs: 1, onStuck: () => {} }
    expect(() => new Lane(channel as unknown as Channel, deps)).toThrow('this version of rabbitmq-client')
  })
})
