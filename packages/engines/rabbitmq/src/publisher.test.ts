import { EventEmitter } from 'node:events'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Confirmation } from './confirms.ts'
import type { Outbound } from './lane.ts'
import { Publisher, type PublisherDeps } from './publisher.ts'

/** A publisher on a connection whose server confirms all that it reads. */
function publisher() {
  const clock = manualClock()
  const state = { isUp: true, isBlocked: false, channels: 0, writes: 0 }
  const channel = async () => {
    state.channels += 1
    const unconfirmed = new Map<number, Confirmation>()
    const write = () => {
      state.writes += 1
      for (const [tag, each] of unconfirmed) {
        unconfirmed.delete(tag)
        each.resolve()
      }
    }
    return Object.assign(new EventEmitter(), {
      ...{ id: 1, active: true, close: async () => {}, confirmSelect: async () => {}, _onMethod: () => {} },
      _state: { maxFrameSize: 4_096, deliveryCount: 1, unconfirmed, stream: { write } },
    })
  }
  const link = Object.assign(state, { up: async () => {}, channel, drop: () => {} })
  const deps = { link, clock, timeoutMs: 1_000 } as unknown as PublisherDeps
  return { clock, state, subject: new Publisher(deps) }
}

const message: Outbound = { envelope: { routingKey: 'q' }, body: Buffer.from('x') }
const turns = async () => {
  for (let turn = 0; turn < 5; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}

describe('a server that takes nothing for now', () => {
  it('is sent what was published meanwhile once it takes it, over the same channel', async () => {
    const { clock, state, subject } = publisher()
    expect(await subject.send([message])).toEqual([{ ok: true }])
    state.isBlocked = true
    const calls = [subject.send([message]), subject.send([message])]
    await turns()
    expect(state.writes).toBe(1)
    state.isBlocked = false
    await clock.advance(100)
    expect(await Promise.all(calls)).toEqual([[{ ok: true }], [{ ok: true }]])
    expect(state.channels).toBe(1)
  })

  it('is not sent what was answered as unavailable, nor is that kept', async () => {
    const { clock, state, subject } = publisher()
    expect(await subject.send([message])).toEqual([{ ok: true }])
    state.isBlocked = true
    const call = subject.send([message])
    for (let step = 0; step < 12; step += 1) {
      await clock.advance(100)
      await turns()
    }
    expect(await call).toMatchObject([{ ok: false, error: { code: 'UNAVAILABLE' } }])
    state.isBlocked = false
    expect(await subject.send([message])).toEqual([{ ok: true }])
    expect(state.writes).toBe(2)
    await subject.close()
  })
})
