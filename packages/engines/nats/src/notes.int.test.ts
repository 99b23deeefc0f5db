import { jetstreamManager } from '@nats-io/jetstream'
import { connect, type NatsConnection } from '@nats-io/transport-node'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { freshPrefix, removeInstallation } from '../test/installation.ts'
import { record, servers } from '../test/rig.ts'
import { makeBucket } from './bucket.ts'
import { Link } from './link.ts'
import { namesFor } from './names.ts'
import { countNoted } from './noted.ts'
import { Notes } from './notes.ts'
import { settingsOf } from './options.ts'

describe.each(servers)('the notes of a range on $name', ({ name, server }) => {
  if (server === undefined) {
    it('needs a server', (context) => context.skip(`start it with: npm run engines -- up ${name}`))
    return
  }
  const prefix = freshPrefix()
  const names = namesFor(prefix).notes
  let link: Link
  let other: NatsConnection
  beforeEach(async () => {
    const host = { clock: systemClock, log: silentLog, instance: 'notes', random: () => 0.5, onState: () => {} }
    link = new Link(settingsOf({ url: server.url, prefix, timeoutMs: 10_000 }), host)
    await link.open()
    await makeBucket(link, names)
    other = await connect({ servers: new URL(server.url).host })
  })
  afterEach(async () => {
    await link.close()
    await other.close()
    await removeInstallation(server.url, prefix)
  })

  const reader = (range = 0, isOurs = () => true): Notes =>
    new Notes(link, { bucket: names, channel: 'c', group: 'g', range, isOurs })

  const told = async (notes: Notes): Promise<readonly string[]> =>
    (await notes.load()).map((note) => `${note.name}=${note.record.id}`)

  const stored = async (): Promise<number> => {
    const manager = await jetstreamManager(other, { checkAPI: false })
    return (await manager.streams.info(names.stream)).state.messages
  }

  it('are those of the last reader, in the order of first writing, and of no other range', async () => {
    const [first, elsewhere] = [reader(), reader(1)]
    expect(await told(first)).toEqual([])
    expect(await told(elsewhere)).toEqual([])
    await elsewhere.change([{ name: 'x', record: record('9') }])
    await first.change(['b', 'c', 'a'].map((each) => ({ name: each, record: record('1') })))
    await first.change([
      { name: 'b', record: record('2') },
      { name: 'c', record: undefined },
    ])
    const second = reader()
    expect(await told(second)).toEqual(['b=2', 'a=1'])
    await second.change([
      { name: 'c', record: record('3') },
      { name: 'a', record: undefined },
    ])
    expect(await told(reader())).toEqual(['b=2', 'c=3'])
    expect(await told(reader(1))).toEqual(['x=9'])
  })

  it('are not changed by what a former reader sends late', async () => {
    const former = reader()
    await former.load()
    await former.change([{ name: 'a', record: record('1') }])
    const next = reader()
    expect(await told(next)).toEqual(['a=1'])
    await former.change([
      { name: 'a', record: undefined },
      { name: 'b', record: record('2') },
    ])
    await next.change([{ name: 'c', record: record('3') }])
    expect(await told(reader())).toEqual(['a=1', 'c=3'])
  })

  it('do not become more by notes that were erased, and stay in order', async () => {
    const notes = reader()
    await notes.load()
    const kept = ['z', 'y'].map((each) => ({ name: each, record: record('1') }))
    await notes.change(kept)
    for (let round = 0; round < 5; round += 1) {
      const passing = Array.from({ length: 300 }, (_, at) => `${round}.${at}`)
      const changes = passing.map((each) => ({ name: each, record: record('2') }))
      await Promise.all([
        notes.change(changes),
        notes.change(changes.map((change) => ({ ...change, record: undefined }))),
      ])
    }
    // The edition that does not hold any more is removed by and by.
    while ((await stored()) >= 1_000) await link.sleep(10)
    await notes.change([{ name: 'x', record: record('3') }])
    expect(await told(reader())).toEqual(['z=1', 'y=1', 'x=3'])
  })

  it('are counted by what is said last, for the ranges that are asked for', async () => {
    const [notes, elsewhere] = [reader(), reader(1)]
    for (const each of [notes, elsewhere]) {
      await each.load()
      await each.change(['a', 'b', 'c', 'session'].map((noted) => ({ name: noted, record: record('1') })))
    }
    await notes.change([{ name: 'b', record: undefined }])
    const count = (...ranges: readonly number[]) =>
      countNoted(link, { bucket: names, channel: 'c', group: 'g', isCounted: (range) => ranges.includes(range) })
    expect([await count(0), await count(0, 1), await count()]).toEqual([2, 5, 0])
    await reader().load()
    expect(await count(0)).toBe(2)
  })

  it('are not renewed by a former reader', async () => {
    let isFormer = false
    const former = reader(0, () => !isFormer)
    await former.load()
    isFormer = true
    await reader().load()
    const many = Array.from({ length: 1_001 }, (_, at) => ({ name: `${at}`, record: undefined }))
    await former.change(many)
    await expect(former.change([{ name: 'a', record: record('1') }])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(await told(reader())).toEqual([])
  })
})
