import type { Engine, ListedGroup, Listing, Topology } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type Rig, rig, without } from '../../test/rig.ts'

const topology: Topology = {
  channels: [
    { name: 'facts', kind: 'log', keyed: true, retention: { forMs: 604_800_000, bytesMax: 1_610_612_736 } },
    { name: 'work', kind: 'queue', keyed: false, priorities: 3, deduplicateForMs: 90_000 },
    { name: 'posthaste.dead.handler.work', kind: 'queue', keyed: false },
  ],
  groups: [
    { channel: 'facts', group: 'points', from: 'earliest' },
    { channel: 'work', group: 'handler', from: 'earliest' },
  ],
}

async function seeded(of: Rig): Promise<Rig> {
  await of.with(async (engine) => {
    await engine.declare(topology)
    const record = { headers: {}, body: new Uint8Array(1) }
    await engine.publish([
      { ...record, id: '1', channel: 'facts', key: 'a' },
      { ...record, id: '2', channel: 'facts', key: 'b', dueAtMs: of.clock.nowMs() + 60_000 },
      { ...record, id: '3', channel: 'work' },
    ])
  })
  return of
}

describe('channels', () => {
  it('are told with their settings, the internal ones on request', async () => {
    const cli = await seeded(rig())
    const { out } = await cli.run(['channels'])
    expect(out).toBe(
      [
        'channel  kind   keyed  keeps       settings',
        'facts    log    yes    7d, 1.5GiB',
        'work     queue  no                 3 priorities, knows ids for 90s',
        '',
      ].join('\n'),
    )
    expect((await cli.run(['channels', '--internal'])).out).toContain('posthaste.dead.handler.work')
  })

  it('are one JSON document for machines', async () => {
    const cli = await seeded(rig())
    const { out } = await cli.run(['channels', '--json'])
    expect(JSON.parse(out)).toEqual(topology.channels.slice(0, 2))
  })

  it('are told also by an engine that tells its topology', async () => {
    const telling = (engine: Engine): Engine => {
      const bare = without(engine, 'listing')
      return Object.assign(Object.create(bare) as Engine, { topology: async () => topology })
    }
    const cli = await seeded(rig(telling))
    expect((await cli.run(['channels'])).out).toContain('facts')
    expect(JSON.parse((await cli.run(['groups', 'facts', '--json'])).out)).toEqual([
      { channel: 'facts', group: 'points', lifetime: 'durable' },
    ])
    expect((await cli.run(['groups', 'nothing'])).code).toBe(3)
  })

  it('cannot be told by every engine, which is said with what to do instead', async () => {
    const cli = rig((engine) => without(engine, 'listing'))
    const { code, err } = await cli.run(['channels'])
    expect(code).toBe(6)
    expect(err).toBe(
      '[CAPABILITY_UNSUPPORTED] the engine memory cannot tell which channels and groups there are\nName the channel instead: posthaste tail <channel>, lag <channel> <group>.\n',
    )
  })

  it('are none on an engine that has none', async () => {
    expect((await rig().run(['channels'])).out).toBe('there are no channels\n')
    expect((await rig().run(['channels', '--json'])).out).toBe('[]\n')
  })
})

describe('groups', () => {
  it('are those of one channel, or of all', async () => {
    const cli = await seeded(rig())
    expect((await cli.run(['groups'])).out).toBe(
      'channel  group    lifetime  members\nfacts    points   durable         0\nwork     handler  durable         0\n',
    )
    expect((await cli.run(['groups', 'work'])).out).not.toContain('points')
    expect((await cli.run(['groups', 'nothing'])).code).toBe(3)
  })
})

describe('lag', () => {
  it('is told of one group, of a channel, or of all', async () => {
    const cli = await seeded(rig())
    expect((await cli.run(['lag'])).out).toBe(
      'channel  group    ready  in flight  waiting\nfacts    points       1          0        1\nwork     handler      1          0        0\n',
    )
    expect(JSON.parse((await cli.run(['lag', 'facts', 'points', '--json'])).out)).toEqual([
      { channel: 'facts', group: 'points', ready: 1, inFlight: 0, waiting: 1 },
    ])
    expect((await cli.run(['lag', 'facts', 'nobody'])).code).toBe(3)
  })

  it('of one group needs no engine that can list', async () => {
    const cli = await seeded(rig((engine) => without(engine, 'listing')))
    expect((await cli.run(['lag', 'facts', 'points'])).code).toBe(0)
    expect((await cli.run(['lag', 'facts'])).code).toBe(6)
  })

  it('leaves out groups that are listed and gone before they are told of', async () => {
    const gone = (engine: Engine): Engine => {
      const listing = engine.listing as Listing
      const groups = async (channel: string) => [
        ...(await listing.groups(channel)),
        { group: 'glance', lifetime: 'temporary' } as const,
      ]
      return Object.assign(without(engine), { listing: { channels: () => listing.channels(), groups } })
    }
    const cli = await seeded(rig(gone))
    const { code, out } = await cli.run(['lag', 'facts', '--json'])
    expect({ code, groups: (JSON.parse(out) as ListedGroup[]).map(({ group }) => group) }).toEqual({
      code: 0,
      groups: ['points'],
    })
  })

  it('fails for scripts where there is more than so much', async () => {
    const cli = await seeded(rig())
    expect((await cli.run(['lag', '--max', '1'])).code).toBe(0)
    expect((await cli.run(['lag', '--max', '0'])).code).toBe(1)
  })
})
