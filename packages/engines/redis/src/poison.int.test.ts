import { TcpProxy } from '@posthaste/conformance'
import type { Delivery, Engine, Settlement } from '@posthaste/contracts'
import { complete } from 'posthaste/bus'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { declare, join, type Rig, Rig as RigOn, record, remedy, server, TestHost, TestSink } from '../test/rig.ts'
import { redis } from './engine.ts'

/** What a process gives up. */
const attemptsMax = 3

const until = (check: () => unknown) => vi.waitFor(check, { timeout: 15_000, interval: 10 })

/** A process behind a network that can be cut. */
async function started(url: string, prefix: string) {
  const { hostname, port } = new URL(url)
  const proxy = new TcpProxy({ host: hostname, port: Number(port) })
  await proxy.listen()
  const engine = complete(redis({ url: proxy.url(url), prefix, sessionMs: 1_500, pollMs: 100, timeoutMs: 5_000 }))
  await engine.open(new TestHost())
  return { proxy, engine }
}

/** Works as a process does that dies of one record, and gives up what has had all its attempts. @returns how it ended */
async function worked(engine: Engine, attempts: Map<string, number>): Promise<'died' | 'done'> {
  const sink = new TestSink()
  const { subscription } = await join(engine, 20, sink)
  const settled = new Set<Delivery>()
  for (;;) {
    const open = () => sink.received.filter((each) => !settled.has(each))
    await until(async () => {
      const { ready } = (await engine.lag?.lag('c', 'g')) ?? { ready: 1 }
      expect(open().length > 0 || ready === 0).toBe(true)
    })
    const inHand = open()
    if (inHand.length === 0) return 'done'
    for (const { record: each, attempt } of inHand) attempts.set(each.id, attempt)
    if (inHand.some(({ record: { id }, attempt }) => id === 'poison' && attempt <= attemptsMax)) return 'died'
    const endings = inHand.map(({ tag, record: { id }, attempt }): Settlement => {
      const publish = attempt > attemptsMax ? [record(id, { channel: 'dead' })] : []
      return { kind: 'ack', tag, publish }
    })
    await subscription.settle(endings)
    for (const each of inHand) settled.add(each)
    subscription.grant(inHand.length)
  }
}

describe.skipIf(server === undefined)(`a record that kills its process (${remedy})`, () => {
  let rig: Rig
  beforeEach(() => {
    if (server !== undefined) rig = new RigOn(server)
  })
  const closing: Promise<void>[] = []
  afterEach(async () => {
    await Promise.all(closing)
    await rig.close()
  })

  it.each([{ keyed: false }, { keyed: true }])(
    'ends in the dead letters, and none of its 19 neighbours does %o',
    { timeout: 60_000 },
    async ({ keyed }) => {
      const first = await rig.engine()
      await declare(first, { keyed })
      await declare(first, { name: 'dead', keyed: false })
      const ids = Array.from({ length: 19 }, (_, at) => `innocent-${at}`)
      ids.splice(10, 0, 'poison')
      await first.publish(ids.map((id, at) => record(id, keyed ? { key: `k${at % 6}` } : {})))

      const attempts = new Map<string, number>()
      const ends: string[] = []
      do {
        const { engine, proxy } = await started(server?.url ?? '', rig.prefix)
        ends.push(await worked(engine, attempts))
        await proxy.destroy()
        closing.push(engine.close().catch(() => {}))
      } while (ends.at(-1) !== 'done' && ends.length < 10)

      expect(ends).toEqual(['died', 'died', 'died', 'done'])
      expect(attempts.get('poison')).toBe(attemptsMax + 1)
      const dead = await first.browsing?.browse({ channel: 'dead', limit: 100 })
      expect(dead?.records.map(({ record: { id } }) => id)).toEqual(['poison'])
    },
  )
})
