import type { ClientTransportHost } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { calling, Feed, pushed, reading, Streams, serving, settled } from '../../../test/rpc/streams-rig.ts'
import { standard } from '../../resilience/policies/presets.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { createRpc } from '../rpc.ts'

describe('a transport', () => {
  it('that carries no streams is refused for services that have some', () => {
    const transport = { name: 'plain', call: () => 1, async close() {} }
    expect(() => createRpc().client(Feed, { transport })).toThrow(
      expect.objectContaining({
        code: 'CAPABILITY_UNSUPPORTED',
        issues: ['follow', 'once', 'upload'].map((path) => ({ path, message: 'has a stream' })),
      }),
    )
  })

  it.each([[1], ['text'], [undefined]])('that answers with %j for a stream is at fault', async (answer) => {
    const { client } = calling(() => answer)
    await expect(reading(client.follow('a')).next()).rejects.toMatchObject({ code: 'INTERNAL' })
  })

  it('is lent the application’s clock, and closed with the clients it was given to, once', async () => {
    const opened: unknown[] = []
    const closed: string[] = []
    const transport = (name: string) => ({
      name,
      streams: true,
      open: (host: ClientTransportHost) => void opened.push(host.clock),
      call: () => [],
      async close() {
        closed.push(name)
        if (name === 'b') throw new Error('stuck')
      },
    })
    const clock = manualClock()
    const rpc = createRpc({ clock })
    const shared = transport('a')
    rpc.client(Feed, { transport: shared })
    rpc.client(Streams, { transport: shared })
    rpc.client(Streams, { transport: transport('b') })
    rpc.client(Streams, { transport: transport('c') })
    await expect(rpc.close()).rejects.toThrow('stuck')
    await rpc.close()
    expect(closed).toEqual(['a', 'b', 'c'])
    expect(opened).toEqual([clock, clock, clock])
  })
})

describe('draining', () => {
  it('waits for streams that are under way, and for those that begin meanwhile', async () => {
    const sources = [pushed(), pushed()]
    let nth = 0
    const { client, rpc } = serving(() => sources[nth++]!)
    const first = reading(client.follow('a'))
    sources[0]!.push(1)
    await first.next()
    let drained = false
    const draining = rpc.drain(1_000).then(() => {
      drained = true
    })
    const second = reading(client.follow('b'))
    sources[1]!.push(1)
    await second.next()
    await first.return?.()
    await settled()
    expect(drained).toBe(false)
    sources[1]!.end()
    expect((await second.next()).done).toBe(true)
    await draining
  })

  it('cancels those that are left when its time is up', async () => {
    const source = pushed()
    const { client, clock, rpc } = serving(() => source)
    const items = reading(client.follow('a'))
    const failing = expect(items.next()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await settled()
    const draining = rpc.drain(1_000)
    await clock.advance(1_000)
    await draining
    await failing
    await settled()
    expect(source.told.returned).toBe(1)
    await rpc.drain(1_000)
    expect(clock.pending()).toBe(0)
  })
})

describe('a listener', () => {
  it('of a long-lived caller is taken back with each stream', async () => {
    let listeners = 0
    const cancellation = {
      reason: undefined,
      signal: new AbortController().signal,
      onCancel() {
        listeners += 1
        return () => {
          listeners -= 1
        }
      },
    }
    const within = { deadlineAtMs: Number.POSITIVE_INFINITY, signal: cancellation.signal, cancellation }
    const log = recordingLog()
    const rpc = createRpc({ clock: manualClock(), log, random: () => 0 })
    rpc.serve(Feed, { follow: () => [1, 2], once: () => [1], upload: () => 1, ping: (text) => text })
    const client = rpc.client(Feed, { preset: standard, bulkhead: { concurrency: 10 } })
    for await (const _ of client.follow('a', { within })) expect(listeners).toBeGreaterThan(0)
    for await (const _ of client.follow('a', { within })) break
    await client.upload(['a'], { within })
    await settled()
    expect(listeners).toBe(0)
    expect(log.entries).toEqual([])
  })
})
