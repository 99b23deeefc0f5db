import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { howToStart, server } from '../test/installation.ts'
import { Rig, Witness } from '../test/rig.ts'

const topology = {
  channels: [
    { name: 'work', kind: 'queue', keyed: false },
    { name: 'facts', kind: 'log', keyed: true, retention: { forMs: 60_000 } },
  ],
  groups: [
    { channel: 'facts', group: 'points', from: 'next' },
    { channel: 'facts', group: 'audit', from: 'earliest' },
  ],
} as const
const glance = { channel: 'facts', group: 'glance', from: 'next', lifetime: 'temporary' } as const

describe('what stands in a cluster', { timeout: 60_000 }, () => {
  if (server === undefined) {
    it('needs a server', (context) => context.skip(howToStart))
    return
  }
  const { url } = server
  let rig: Rig
  beforeEach(() => {
    rig = new Rig(url)
  })
  afterEach(() => rig.end())

  it('is listed by name: channels with their settings, groups with the members of all processes', async () => {
    const [engine, other] = [await rig.open(), await rig.open()]
    expect(await other.listing?.channels()).toEqual([])
    await engine.declare({ ...topology, groups: [...topology.groups, glance] })
    await other.declare({ channels: [], groups: [glance] })
    const member = await engine.subscribe({ channel: 'facts', group: 'audit', member: 'one' }, new Witness())
    await other.subscribe({ channel: 'facts', group: 'audit', member: 'two' }, new Witness())
    await engine.subscribe({ channel: 'facts', group: 'glance', member: 'three' }, new Witness())

    expect(await other.listing?.channels()).toEqual([topology.channels[1], topology.channels[0]])
    // A member is one of the server's once it has joined, which may be a while after it was subscribed.
    const groups = () => expect.poll(() => other.listing?.groups('facts'), { timeout: 20_000 })
    await groups().toEqual([
      { group: 'audit', lifetime: 'durable', members: 2 },
      { group: 'glance', lifetime: 'temporary', members: 1 },
      { group: 'points', lifetime: 'durable', members: 0 },
    ])
    expect(await other.listing?.groups('work')).toEqual([])
    await member.stop()
    await groups().toMatchObject([{ group: 'audit', members: 1 }, {}, {}])
  })

  it('is nothing of a channel that nobody has declared, and of an engine that is closed', async () => {
    const engine = await rig.open()
    await expect(engine.listing?.groups('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await engine.close()
    await expect(engine.listing?.channels()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })
})
