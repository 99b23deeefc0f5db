import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Rig, remedy, server, TestSink } from '../test/rig.ts'

const topology = {
  channels: [
    { name: 'work', kind: 'queue', keyed: false, priorities: 3, deduplicateForMs: 5_000 },
    { name: 'facts', kind: 'log', keyed: true, retention: { forMs: 60_000 } },
  ],
  groups: [
    { channel: 'facts', group: 'points', from: 'next' },
    { channel: 'facts', group: 'audit', from: 'earliest' },
    { channel: 'facts', group: 'glance', from: 'next', lifetime: 'temporary' },
  ],
} as const

describe.skipIf(server === undefined)(`what stands in a server (${remedy})`, () => {
  let rig: Rig
  beforeEach(() => {
    if (server !== undefined) rig = new Rig(server)
  })
  afterEach(() => rig.close())

  it('is listed by name: channels with their settings, groups with the members of all processes', async () => {
    const [engine, other] = [await rig.engine(), await rig.engine()]
    expect(await other.listing?.channels()).toEqual([])
    await engine.declare(topology)
    const of = { channel: 'facts', group: 'audit' }
    const member = await engine.subscribe({ ...of, member: 'one' }, new TestSink())
    await other.subscribe({ ...of, member: 'two' }, new TestSink())

    expect(await other.listing?.channels()).toEqual([topology.channels[1], topology.channels[0]])
    expect(await other.listing?.groups('facts')).toEqual([
      { group: 'audit', lifetime: 'durable', members: 2 },
      { group: 'glance', lifetime: 'temporary', members: 0 },
      { group: 'points', lifetime: 'durable', members: 0 },
    ])
    expect(await other.listing?.groups('work')).toEqual([])
    await member.stop()
    await engine.close()
    await vi.waitFor(async () => {
      expect(await other.listing?.groups('facts')).toMatchObject([{ group: 'audit', members: 1 }, { group: 'points' }])
    })
  })

  it('is nothing of a channel that nobody has declared, and of an engine that is closed', async () => {
    const engine = await rig.engine()
    await expect(engine.listing?.groups('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await engine.close()
    await expect(engine.listing?.channels()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})
