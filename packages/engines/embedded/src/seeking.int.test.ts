import type { SeekTarget } from '@posthaste/contracts'
import { manualClock, recordingLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, lull, opened, published, TestMember } from '../test/rig.ts'
import { EmbeddedEngine } from './engine.ts'
import { Store } from './storage/store.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const ack = ({ tag }: { readonly tag: number }) => ({ kind: 'ack', tag }) as const
const numbers = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => String(from + index))

async function killed(dir: string, engine: EmbeddedEngine) {
  const next = directories.fresh()
  await copyAsKilled(dir, next)
  await engine.close()
  return { dir: next, ...(await opened(next)) }
}

/** What a group gets from here on, with attempts; settled. */
async function drained(engine: EmbeddedEngine, count: number): Promise<readonly [string, number][]> {
  const member = await TestMember.join(engine, count + 10)
  const given = await member.take(count)
  await lull(engine)
  expect(member.received).toHaveLength(count)
  await member.settle(...given.map(ack))
  await member.subscription.stop()
  return given.map(({ record: { id }, attempt }) => [id, attempt])
}

const once = (ids: readonly string[]) => ids.map((id) => [id, 1])
const seek = (engine: EmbeddedEngine, target: SeekTarget) => engine.seeking.seek('c', 'g', target)

describe('seeking', () => {
  it('gives again what was settled over many blocks, and forgets attempts, waits and holds, over a kill too', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine, ['g', 'keeper'])
    for (let block = 0; block < 50; block++)
      await published(before.engine, ...numbers(block * 10, block * 10 + 10).map((id) => record(id, { key: `k${id}` })))
    const member = await TestMember.join(before.engine, 400)
    const given = await member.take(400)
    // Holes in many blocks, failed ones, held keys, and some that wait for their time.
    await member.settle(
      ...given.map(({ tag, record: { id } }) =>
        Number(id) % 3 > 0
          ? ack({ tag })
          : ({
              kind: 'release',
              tag,
              countsAttempt: true,
              holdKey: Number(id) % 2 === 0,
              visibleAtMs: Date.now() + (Number(id) % 4 === 0 ? 3_600_000 : 0),
            } as const),
      ),
    )
    await member.subscription.stop()
    const page = await before.engine.browsing.browse({ channel: 'c', limit: 124 })
    await seek(before.engine, { position: page.records.at(-1)?.position ?? '' })
    const after = await killed(dir, before.engine)
    expect(await after.engine.lag.lag('c', 'g')).toEqual({ ready: 377, waiting: 0, inFlight: 0 })
    expect(await drained(after.engine, 377)).toEqual(once(numbers(123, 500)))
    await seek(after.engine, { to: 'earliest' })
    expect(await drained(after.engine, 500)).toEqual(once(numbers(0, 500)))
    await after.engine.close()
  })

  it('passes over what was not settled, in every state, when it goes to what comes next', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    await declared(engine)
    await published(engine, ...numbers(0, 30).map((id) => record(id, { key: `k${Number(id) % 5}` })))
    const member = await TestMember.join(engine, 10)
    const given = await member.take(10)
    await member.settle(
      ...given
        .slice(5)
        .map(({ tag }, index) => ({ kind: 'release', tag, countsAttempt: true, holdKey: index % 2 === 0 }) as const),
    )
    await member.subscription.stop()
    const late = engine.publish([record('published before')])
    await seek(engine, { to: 'next' })
    await late
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 0, waiting: 0, inFlight: 0 })
    await published(engine, ...numbers(30, 35).map((id) => record(id, { key: `k${Number(id) % 5}` })))
    expect(await drained(engine, 5)).toEqual(once(numbers(30, 35)))
    await engine.close()
    // Of where the group was before, nothing stands any more.
    const store = new Store(dir)
    const all = { from: Buffer.alloc(1), to: Buffer.alloc(40, 0xff) }
    expect([...store.keys('entries', all), ...store.keys('settled', all)]).toEqual([])
    expect(store.keys('cursors', all)).toHaveLength(2)
    await store.close()
  })

  it('finds the first record of a time among many blocks, with priorities too', async () => {
    for (const priorities of [1, 3]) {
      const clock = manualClock(1_000_000)
      const engine = new EmbeddedEngine({ dir: directories.fresh() })
      await engine.open({ clock, log: recordingLog(), instance: 'test', random: () => 0.5, onState: () => {} })
      await engine.declare({
        channels: [{ name: 'c', kind: 'log', keyed: false, priorities }],
        groups: ['g', 'keeper'].map((group) => ({ channel: 'c', group, from: 'earliest' })),
      })
      for (const id of numbers(0, 40)) {
        await published(engine, record(id, { priority: Number(id) % priorities }))
        await clock.advance(10)
      }
      const inOrder = (ids: readonly string[]) =>
        [...ids].sort((a, b) => (Number(b) % priorities) - (Number(a) % priorities) || Number(a) - Number(b))
      for (const [atMs, first] of [
        [0, 0],
        [1_000_000 + 170, 17],
        [1_000_000 + 171, 18],
        [1_000_000 + 400, 40],
      ] as const) {
        await seek(engine, { atMs })
        expect(await drained(engine, 40 - first)).toEqual(once(inOrder(numbers(first, 40))))
      }
      const { records } = await engine.browsing.browse({ channel: 'c', limit: 26 })
      await seek(engine, { position: records.at(-1)?.position ?? '' })
      expect(await drained(engine, 15)).toEqual(once(inOrder(numbers(25, 40))))
      await engine.close()
    }
  })

  it('keeps what is addressed to the group, with its attempts, and what that holds', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, ['g', 'keeper'])
    await published(
      engine,
      record('1', { key: 'k' }),
      record('own', { key: 'k', group: 'g' }),
      record('2', { key: 'k' }),
    )
    const member = await TestMember.join(engine, 3)
    const [one, own, two] = await member.take(3)
    if (one === undefined || own === undefined || two === undefined) throw new Error('nothing came')
    await member.settle(ack(one), { kind: 'release', tag: own.tag, countsAttempt: true, holdKey: true }, ack(two))
    await member.subscription.stop()
    await seek(engine, { position: own.position })
    const again = await TestMember.join(engine, 3)
    const [first] = await again.take(1)
    await lull(engine)
    expect(again.ids).toEqual(['own'])
    expect(first?.attempt).toBe(2)
    if (first !== undefined) await again.settle(ack(first))
    await again.take(1)
    expect(again.ids).toEqual(['own', '2'])
    await engine.close()
  })

  it('lets go of what only the place before kept, and begins at the oldest that is kept', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    await published(engine, record('1'))
    await published(engine, record('2'))
    const { records } = await engine.browsing.browse({ channel: 'c', limit: 2 })
    await seek(engine, { position: records[1]?.position ?? '' })
    await lull(engine)
    expect((await engine.browsing.browse({ channel: 'c', limit: 9 })).records.map((each) => each.record.id)).toEqual([
      '2',
    ])
    await seek(engine, { position: records[0]?.position ?? '' })
    expect(await drained(engine, 1)).toEqual(once(['2']))
    await engine.close()
  })

  it('is refused with members, of a queue, of what is not there, and to no position', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    await engine.declare({
      channels: [{ name: 'q', kind: 'queue', keyed: false }],
      groups: [{ channel: 'q', group: 'g', from: 'next' }],
    })
    const code = (work: Promise<void>) => work.then(() => 'done').catch((error) => error.code)
    expect(await code(engine.seeking.seek('q', 'g', { to: 'earliest' }))).toBe('FAILED_PRECONDITION')
    expect(await code(engine.seeking.seek('c', 'h', { to: 'earliest' }))).toBe('NOT_FOUND')
    expect(await code(engine.seeking.seek('d', 'g', { to: 'earliest' }))).toBe('NOT_FOUND')
    expect(await code(seek(engine, { position: 'here' }))).toBe('INVALID_ARGUMENT')
    const seeking = seek(engine, { to: 'next' })
    const member = await TestMember.join(engine, 1)
    expect(await code(seeking)).toBe('CONFLICT')
    expect(await code(seek(engine, { to: 'next' }))).toBe('CONFLICT')
    await member.subscription.stop()
    expect(await code(seek(engine, { to: 'next' }))).toBe('done')
    await engine.close()
  })
})
