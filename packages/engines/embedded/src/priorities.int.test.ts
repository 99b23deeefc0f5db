import type { ChannelSpec } from '@posthaste/contracts'
import { manualClock, recordingLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { lull, opened, published, TestMember } from '../test/rig.ts'
import { EmbeddedEngine } from './engine.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const nothingLeft = { ready: 0, waiting: 0, inFlight: 0 }
const ack = ({ tag }: { readonly tag: number }) => ({ kind: 'ack', tag }) as const
const at = (priority: number, ...ids: readonly string[]) => ids.map((id) => record(id, { priority }))

async function declared(engine: EmbeddedEngine, spec: Partial<ChannelSpec> = {}): Promise<void> {
  await engine.declare({
    channels: [{ name: 'c', kind: 'log', keyed: false, priorities: 3, ...spec }],
    groups: [{ channel: 'c', group: 'g', from: 'earliest' }],
  })
}

async function browsed(engine: EmbeddedEngine, limit: number) {
  const found = []
  for (let after: string | undefined; ; ) {
    const { records, next } = await engine.browsing.browse({ channel: 'c', limit, after })
    found.push(...records)
    if (next === undefined) return found
    after = next
  }
}

describe.each(['log', 'queue'] as const)('a %s with priorities', (kind) => {
  it('is given from the highest level down, in order within each, also over restarts', async () => {
    const dir = directories.fresh()
    let { engine } = await opened(dir)
    await declared(engine, { kind })
    await published(engine, ...at(0, 'low 1', 'low 2'), ...at(9, 'high 1'), ...at(1, 'middle'), record('low 3'))
    await published(engine, ...at(2, 'high 2'))
    let member = await TestMember.join(engine, 1)
    await member.settle(...(await member.take(1)).map(ack))
    expect(member.ids).toEqual(['high 1'])
    await engine.close()
    engine = (await opened(dir)).engine
    expect(await engine.lag.lag('c', 'g')).toEqual({ ...nothingLeft, ready: 5 })
    member = await TestMember.join(engine, 10)
    await member.settle(...(await member.take(5)).map(ack))
    expect(member.ids).toEqual(['high 2', 'middle', 'low 1', 'low 2', 'low 3'])
    expect(await engine.lag.lag('c', 'g')).toEqual(nothingLeft)
    await engine.close()
  })

  it('gives what was handed back before what is new of its level, and behind what is higher', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, { kind })
    await published(engine, ...at(1, 'a', 'b'))
    const member = await TestMember.join(engine, 1)
    const [first] = await member.take(1)
    if (first === undefined) throw new Error('nothing came')
    await published(engine, ...at(2, 'higher'), ...at(0, 'lower'))
    await member.settle({ kind: 'release', tag: first.tag, countsAttempt: true })
    member.subscription.grant(10)
    await member.take(4)
    expect(member.ids).toEqual(['a', 'higher', 'a', 'b', 'lower'])
    await engine.close()
  })

  it('counts an attempt after a crash for what was handed over, and not for what waited behind it', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine, { kind })
    const member = await TestMember.join(before.engine, 2)
    await published(before.engine, ...at(0, 'low 1', 'low 2'), ...at(2, 'high 1', 'high 2', 'high 3'))
    await member.take(2)
    await lull(before.engine)
    const next = directories.fresh()
    await copyAsKilled(dir, next)
    await before.engine.close()
    const { engine } = await opened(next)
    const given = await (await TestMember.join(engine, 5)).take(5)
    expect(given.map(({ record: { id }, attempt }) => [id, attempt])).toEqual([
      ['high 1', 2],
      ['high 2', 2],
      ['high 3', 1],
      ['low 1', 1],
      ['low 2', 1],
    ])
    await engine.close()
  })

  it('is browsed in pages whose positions are unique, in text order, and those of the deliveries', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, { kind })
    for (let round = 0; round < 5; round++)
      for (const priority of [2, 0, 1]) await published(engine, ...at(priority, `${round}/${priority}`))
    const found = await browsed(engine, 2)
    expect(found.map(({ record: { id } }) => id).sort()).toHaveLength(15)
    const positions = found.map(({ position }) => position)
    expect([...new Set(positions)].sort()).toEqual(positions)
    expect((await browsed(engine, 100)).map(({ position }) => position)).toEqual(positions)
    const member = await TestMember.join(engine, 15)
    const given = await member.take(15)
    expect(given.map(({ position, record: { id } }) => [position, id]).sort()).toEqual(
      found.map(({ position, record: { id } }) => [position, id]),
    )
    await engine.close()
  })
})

describe('a queue with priorities', () => {
  it('lets records of every level be moved by their positions, once', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, { kind: 'queue' })
    await published(engine, ...at(0, 'low'), ...at(1, 'middle'), ...at(2, 'high'))
    const moves = (await browsed(engine, 9)).map(({ position }) => ({ position, publish: [] }))
    expect(await engine.browsing.move('c', moves)).toEqual([{ ok: true }, { ok: true }, { ok: true }])
    expect(await engine.browsing.move('c', moves.slice(1, 2))).toMatchObject([{ error: { code: 'NOT_FOUND' } }])
    for (const position of ['x', '000000000000000', `${moves[0]?.position}0`.replace('.0.', '.3.')])
      expect(await engine.browsing.move('c', [{ position, publish: [] }])).toMatchObject([
        { error: { code: 'NOT_FOUND' } },
      ])
    expect(await engine.lag.lag('c', 'g')).toEqual(nothingLeft)
    await engine.close()
  })

  it('gives what was scheduled, and what is addressed to its group, by their levels', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, { kind: 'queue' })
    const dueAtMs = Date.now() + 20
    await published(
      engine,
      record('low', { priority: 0, group: 'g' }),
      record('high', { priority: 2, group: 'g' }),
      record('due', { priority: 1, dueAtMs }),
    )
    expect(await engine.scheduling.dueAt('c', 'due')).toBe(dueAtMs)
    while ((await browsed(engine, 9)).length === 0) await new Promise((resolve) => setTimeout(resolve, 5))
    const member = await TestMember.join(engine, 3)
    await member.take(3)
    expect(member.ids).toEqual(['high', 'due', 'low'])
    await engine.close()
  })
})

describe('retention of a log with priorities', () => {
  it('bounds the bytes of all levels together, and drops the oldest of them first, over a restart too', async () => {
    const dir = directories.fresh()
    const clock = manualClock(1_000_000)
    const open = async () => {
      const engine = new EmbeddedEngine({ dir })
      await engine.open({ clock, log: recordingLog(), instance: 'test', random: () => 0.5, onState: () => {} })
      return engine
    }
    let engine = await open()
    await declared(engine, { retention: { bytesMax: 20_000 } })
    const member = await TestMember.join(engine, 1_000)
    const sent: string[] = []
    const publish = async (priority: number, count: number) => {
      for (let round = 0; round < count; round++) {
        const id = String(sent.push(''))
        await clock.advance(10)
        await published(engine, record(id, { priority, body: Buffer.alloc(1_000) }))
        await member.settle(...(await member.take(1)).map(ack))
      }
      await lull(engine)
    }
    await publish(0, 15)
    await publish(2, 10)
    const kept = async () => (await browsed(engine, 100)).map((each) => Number(each.record.id))
    // The low ones were there first, and make room for the high ones.
    const before = await kept()
    expect(before).toEqual(Array.from({ length: before.length }, (_, index) => 26 - before.length + index))
    expect(before.length).toBeGreaterThan(15)
    expect(before.length).toBeLessThan(20)
    await engine.close()
    engine = await open()
    const again = await TestMember.join(engine, 1)
    await clock.advance(10)
    await published(engine, record('26', { priority: 1, body: Buffer.alloc(5_000) }))
    await again.settle(...(await again.take(1)).map(ack))
    await lull(engine)
    const after = await kept()
    expect(after.at(-1)).toBe(26)
    expect(after[0]).toBe((before[0] ?? 0) + 5)
    await engine.close()
  })

  it('drops what is past its time of every level', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, { retention: { forMs: 1 } })
    await published(engine, ...at(0, 'low'), ...at(2, 'high'))
    const member = await TestMember.join(engine, 2)
    await member.settle(...(await member.take(2)).map(ack))
    while ((await browsed(engine, 9)).length > 0) await new Promise((resolve) => setTimeout(resolve, 50))
    await engine.close()
  })
})
