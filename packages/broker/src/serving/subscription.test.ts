import { fromBroker, Reader, readDeliveries } from '@posthaste/broker/protocol'
import type { Delivery, DeliverySink, Settlement } from '@posthaste/contracts'
import type { LinkStream } from '@posthaste/link/connection'
import { silentLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { Subscription } from './subscription.ts'
import type { Surroundings } from './surroundings.ts'

const kib = 1024
const beginning = { session: 's', subscription: 1, channel: 'c', group: 'g', member: 'm', credit: 5 }

/** A member of an engine that holds deliveries, of which some are damaged on the disk by now. */
class StubMember {
  readonly damaged = new Set<number>()
  readonly settled: Settlement[] = []
  readonly bodies = new Map<number, Uint8Array>()
  readonly deliveries: (Delivery & { record: { body: Uint8Array } })[] = []
  granted = 0

  delivery(tag: number, bytes: number): Delivery {
    const body = new Uint8Array(bytes).fill(tag)
    this.bodies.set(tag, body)
    const record = { id: `${tag}`, channel: 'c', headers: {}, body }
    const delivery = { tag, record, attempt: 1, storedAtMs: 0, position: `${tag}` }
    this.deliveries.push(delivery)
    return delivery
  }

  letGo(tag: number): void {
    this.#recordOf(tag).body = new Uint8Array()
  }

  restore(tag: number): boolean {
    if (this.damaged.has(tag)) return false
    this.#recordOf(tag).body = this.bodies.get(tag)!
    return true
  }

  #recordOf(tag: number): { body: Uint8Array } {
    return this.deliveries.find((each) => each.tag === tag)!.record
  }

  held(): Iterable<Delivery> {
    return this.deliveries
  }

  grant(credit: number): void {
    this.granted += credit
  }

  async settle(batch: readonly Settlement[]) {
    this.settled.push(...batch)
    return batch.map(() => ({ ok: true }) as const)
  }
}

/** What a stream was sent: ids of deliveries, with how large their bodies are. */
function recordingStream() {
  const sent: (readonly [id: string, bytes: number])[] = []
  const send = (message: Uint8Array): boolean => {
    const reader = new Reader(message)
    if (reader.byte() === fromBroker.deliver)
      for (const { record } of readDeliveries(reader, { channel: 'c', tagBase: 0, shiftMs: 0 }))
        sent.push([record.id, record.body.byteLength])
    return true
  }
  return { sent, stream: { send, end() {}, fail() {}, consumed() {} } as unknown as LinkStream }
}

async function joined() {
  const member = new StubMember()
  const rig: { sink: DeliverySink | undefined } = { sink: undefined }
  const engine = {
    subscribe: async (_: unknown, sink: DeliverySink) => {
      rig.sink = sink
      return member
    },
  }
  const around = { engine, log: silentLog, figures: { delivered: 0 } } as unknown as Surroundings
  const of = { grants: { quota: { bytesInHandMax: 1 } }, left() {} } as never
  const subscription = new Subscription(of, { channel: 'c', group: 'g', member: 'm' }, around)
  const first = recordingStream()
  await subscription.join(first.stream, beginning)
  return { member, subscription, first, deliver: (batch: readonly Delivery[]) => rig.sink?.deliver(batch) }
}

describe('a subscription', () => {
  it('lets go of large bodies once they are sent, and of no others', async () => {
    const { member, first, deliver } = await joined()
    deliver([member.delivery(1, 10), member.delivery(2, 16 * kib), member.delivery(3, 0)])
    expect(first.sent).toEqual([
      ['1', 10],
      ['2', 16 * kib],
      ['3', 0],
    ])
    expect(member.deliveries.map(({ record }) => record.body.byteLength)).toEqual([10, 0, 0])
  })

  it('sends them again over the next connection, but for one that is damaged: that goes back to the engine', async () => {
    const { member, subscription, first, deliver } = await joined()
    const sizes = [20 * kib, 20 * kib, 20 * kib, 10]
    deliver(sizes.map((bytes, at) => member.delivery(at + 1, bytes)))
    subscription.detach(first.stream)
    member.damaged.add(1).add(3)
    const second = recordingStream()
    member.granted = 0
    subscription.resume(second.stream, { ...beginning, credit: 5, holding: [] })
    expect(second.sent).toEqual([
      ['2', 20 * kib],
      ['4', 10],
    ])
    expect(member.settled).toEqual([1, 3].map((tag) => ({ kind: 'release', tag, countsAttempt: false })))
    expect(member.deliveries.map(({ record }) => record.body.byteLength)).toEqual([0, 0, 0, 10])
  })
})
