import { describe, expect, it } from 'vitest'
import { StubPresence } from '../test/stub-presence.ts'
import { Consumer } from './consumer.ts'
import { promised } from './features.ts'
import { fromBroker, fromClient } from './protocol/consuming.ts'

const sink = { deliver() {}, lost() {}, closed() {} }

function consumer() {
  const stub = new StubPresence()
  const spec = { channel: 'c', group: 'g', member: 'm' }
  const needs = { presence: stub.presence, timeoutMs: 1_000, capabilities: promised, number: 1, left() {} }
  return { stub, consumer: new Consumer(spec, sink, needs) }
}

describe('A consumer', () => {
  it('that has left ends its stream, and hears of no later connection', async () => {
    const { stub, consumer: left } = consumer()
    const joining = left.join()
    await Promise.resolve()
    const [stream] = stub.streams
    stream!.sink.message(Uint8Array.of(fromBroker.joined), 0)
    await joining
    const stopping = left.stop()
    await Promise.resolve()
    expect(stream!.done).toEqual([`send ${fromClient.stop}`])
    stream!.sink.message(Uint8Array.of(fromBroker.stopped), 0)
    await stopping
    expect(stream!.done).toEqual([`send ${fromClient.stop}`, 'end'])
    expect(stub.listeners.size).toBe(0)
    left.attached(false)
    expect(stub.streams).toHaveLength(1)
  })

  it('whose broker has ended its stream ends it, too, and keeps what it has', async () => {
    const { stub, consumer: left } = consumer()
    const joining = left.join()
    await Promise.resolve()
    const [stream] = stub.streams
    stream!.sink.message(Uint8Array.of(fromBroker.joined), 0)
    await joining
    stream!.sink.ended({})
    expect(stream!.done).toEqual(['end'])
    expect(stub.listeners.size).toBe(1)
    left.attached(false)
    expect(stub.streams).toHaveLength(2)
  })

  it('that waits for its group in vain has the broker forget that it wanted to join', async () => {
    const { stub, consumer: late } = consumer()
    const joining = late.join()
    joining.catch(() => {})
    await Promise.resolve()
    await stub.host.clock.advance(1_000)
    await expect(joining).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(stub.streams[0]!.done).toEqual([`send ${fromClient.stop}`, 'end'])
    expect(stub.listeners.size).toBe(0)
  })
})
