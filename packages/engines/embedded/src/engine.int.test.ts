import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, lull, opened, published, TestMember } from '../test/rig.ts'
import { checkOptions } from './options.ts'
import { Store } from './storage/store.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => {
  vi.restoreAllMocks()
  directories.remove()
})

/** What stands after `kill -9`: the engine that is left behind writes into a directory that nobody looks at. */
async function killed(dir: string, engine: Awaited<ReturnType<typeof opened>>['engine']) {
  const next = directories.fresh()
  await lull(engine)
  await copyAsKilled(dir, next)
  await engine.close()
  return { dir: next, ...(await opened(next)) }
}

const hour = 3_600_000
const ack = ({ tag }: { readonly tag: number }) => ({ kind: 'ack', tag }) as const
const release = ({ tag }: { readonly tag: number }, how: object = {}) =>
  ({ kind: 'release', tag, countsAttempt: false, ...how }) as const

describe('records of the first block', () => {
  it('come again when their delay is over, and after a restart in the middle of them', async () => {
    const dir = directories.fresh()
    let { engine } = await opened(dir)
    await declared(engine)
    await published(engine, record('1'), record('2'), record('3'), record('4'))
    const first = await TestMember.join(engine, 4)
    const [one, two] = await first.take(4)
    if (one === undefined || two === undefined) throw new Error('nothing came')
    await first.settle(ack(one), release(two, { visibleAtMs: Date.now() + 20 }))
    first.subscription.grant(1)
    expect((await first.take(1))[0]?.record.id).toBe('2')
    await engine.close()
    engine = (await opened(dir)).engine
    const second = await TestMember.join(engine, 10)
    expect((await second.take(3)).map((each) => each.record.id)).toEqual(['2', '3', '4'])
    await engine.close()
  })
})

describe('the lag of a group', () => {
  it('counts what is on its way to the disk, so that no record is between two places', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    await published(engine, record('1'))
    const member = await TestMember.join(engine, 1)
    const [first] = await member.take(1)
    const publish = [record('now'), record('later', { dueAtMs: Date.now() + hour })]
    const settling = member.subscription.settle([{ ...ack(first!), publish }])
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 1, waiting: 1, inFlight: 0 })
    await settling
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 1, waiting: 1, inFlight: 0 })
    await engine.close()
  })
})

describe('a declaration', () => {
  it('names a second group of a queue as drift, and leaves the first and the rest as they are', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, ['g'], { kind: 'queue' })
    const groups = ['h', 'g'].map((group) => ({ channel: 'c', group, from: 'next' }) as const)
    expect(await engine.declare({ channels: [], groups })).toEqual({
      created: [],
      drift: [{ name: 'c', setting: 'group', wanted: 'h', found: 'g' }],
    })
    await expect(TestMember.join(engine, 1, 'h')).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await engine.close()
  })

  it('that finds what another one is about to make has it durable, too, when it resolves', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    const first = declared(engine)
    let isDone = false
    void first.then(() => {
      isDone = true
    })
    await declared(engine)
    expect(isDone).toBe(true)
    await engine.close()
  })
})

describe('a group', () => {
  it('that is declared while records are on their way gets all that come after it', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine, [])
    const before = engine.publish([record('1'), record('2')])
    const declaring = engine.declare({ channels: [], groups: [{ channel: 'c', group: 'g', from: 'next' }] })
    const after = engine.publish([record('3'), record('4')])
    await Promise.all([before, declaring, after])
    const member = await TestMember.join(engine, 10)
    await member.take(2)
    await lull(engine)
    expect(member.ids).toEqual(['3', '4'])
    await engine.close()
  })

  it('gives a member what its key has, in order, when that member can take more', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    const owner = await TestMember.join(engine, 1)
    await published(engine, record('1', { key: 'k' }))
    await owner.take(1)
    const other = await TestMember.join(engine, 5)
    const later = ['2', '3', '4', '5', '6', '7'].map((id) => record(id, { key: 'k' }))
    await published(engine, ...later, record('x', { key: 'j' }))
    await other.take(1)
    expect(other.ids).toEqual(['x'])
    owner.subscription.grant(2)
    await owner.take(2)
    await published(engine, record('8', { key: 'k' }))
    owner.subscription.grant(10)
    await owner.take(5)
    expect(owner.ids).toEqual(['1', '2', '3', '4', '5', '6', '7', '8'])
    await engine.close()
  })

  it('does not let a member without credit stop keys that others could take', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    const a = await TestMember.join(engine, 2)
    await published(engine, record('1', { key: 'k' }), record('2', { key: 'k' }))
    const [one, two] = await a.take(2)
    if (one === undefined || two === undefined) throw new Error('nothing came')
    const b = await TestMember.join(engine, 10)
    // The second of k comes back, behind a member that still has the first and can take nothing.
    await a.settle(release(two, { countsAttempt: true }))
    await published(engine, record('3', { key: 'j' }), record('4'))
    await b.take(2)
    expect([a.ids, b.ids]).toEqual([
      ['1', '2'],
      ['3', '4'],
    ])
    await a.settle(ack(one))
    expect((await b.take(1)).map((each) => [each.record.id, each.attempt])).toEqual([['2', 2]])
    await engine.close()
  })
})

describe('attempts', () => {
  it('count a crash in which a record died that had been handed back until later', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine)
    await published(before.engine, record('1'))
    const member = await TestMember.join(before.engine, 2)
    const [first] = await member.take(1)
    if (first === undefined) throw new Error('nothing came')
    await member.settle(release(first, { visibleAtMs: Date.now() + 10 }))
    await member.take(1)
    const after = await killed(dir, before.engine)
    expect((await (await TestMember.join(after.engine, 1)).take(1))[0]?.attempt).toBe(2)
    await after.engine.close()
  })

  it('do not count a crash for what had been handed back before, nor an orderly restart in between', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine)
    await published(before.engine, record('1'), record('2'))
    const member = await TestMember.join(before.engine, 2)
    const [one] = await member.take(2)
    if (one === undefined) throw new Error('nothing came')
    await member.settle(release(one))
    const crashed = await killed(dir, before.engine)
    // Nobody consumes in this one; what it knows of the crash must not be lost with it.
    await crashed.engine.close()
    const after = await opened(crashed.dir)
    const again = await (await TestMember.join(after.engine, 2)).take(2)
    expect(again.map((each) => [each.record.id, each.attempt])).toEqual([
      ['1', 1],
      ['2', 2],
    ])
    await after.engine.close()
  })

  it('hand a record over once, though its reader and its timer come to it at the same time after a crash', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine)
    await published(before.engine, record('1', { key: 'k' }))
    const member = await TestMember.join(before.engine, 2)
    const [first] = await member.take(1)
    if (first === undefined) throw new Error('nothing came')
    const dueAtMs = Date.now() + 300
    await member.settle(release(first, { countsAttempt: true, visibleAtMs: dueAtMs, holdKey: true }))
    const after = await killed(dir, before.engine)
    // The event loop stands still beyond the due time, as it may while an application starts.
    while (Date.now() < dueAtMs + 20) Math.hypot(3, 4)
    const heir = await TestMember.join(after.engine, 2)
    const [again] = await heir.take(1)
    await lull(after.engine)
    expect(heir.ids).toEqual(['1'])
    if (again === undefined) throw new Error('nothing came')
    await heir.settle(ack(again))
    await published(after.engine, record('2', { key: 'k' }))
    await heir.take(1)
    expect(heir.ids).toEqual(['1', '2'])
    await after.engine.close()
  })

  it('order what was in hand before what was waiting, after a crash', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine)
    await published(before.engine, ...['1', '2', '3'].map((id) => record(id, { key: 'k' })))
    const member = await TestMember.join(before.engine, 3)
    const [, two] = await member.take(3)
    if (two === undefined) throw new Error('nothing came')
    await member.settle(release(two, { holdKey: true, countsAttempt: true }))
    const after = await killed(dir, before.engine)
    const heir = await TestMember.join(after.engine, 3)
    await heir.take(2)
    await lull(after.engine)
    expect(heir.ids).toEqual(['1', '2'])
    await heir.settle(...heir.received.map(ack))
    await heir.take(1)
    expect(heir.ids).toEqual(['1', '2', '3'])
    await after.engine.close()
  })

  it('after two crashes come one at a time, until each has been settled', async () => {
    const dir = directories.fresh()
    let run = { dir, ...(await opened(dir)) }
    await declared(run.engine)
    await published(run.engine, record('1'), record('2'), record('3'))
    for (let crash = 0; crash < 2; crash++) {
      await (await TestMember.join(run.engine, 2)).take(2)
      run = await killed(run.dir, run.engine)
    }
    const member = await TestMember.join(run.engine, 10)
    for (const id of ['1', '2']) {
      const [alone] = await member.take(1)
      await lull(run.engine)
      expect(member.ids.at(-1)).toBe(id)
      expect(alone?.attempt).toBe(3)
      if (alone !== undefined) await member.settle(ack(alone))
    }
    expect((await member.take(1))[0]?.record.id).toBe('3')
    await run.engine.close()
  })
})

describe('publish', () => {
  it('refuses what it could not store, and stores its neighbours', async () => {
    const { engine, states } = await opened(directories.fresh())
    await declared(engine)
    const outcomes = await engine.publish([
      record('', {}),
      record('i'.repeat(1_025)),
      record('é'.repeat(513)),
      record('key', { key: 'k'.repeat(1_025) }),
      record('body', { body: new Uint8Array(engine.capabilities.bodyBytesMax + 1) }),
      record('headers', { headers: { a: 'x'.repeat(engine.capabilities.headerBytesMax) } }),
      record('many', { headers: Object.fromEntries(Array.from({ length: 256 }, (_, i) => [`h${i}`, ''])) }),
      record('never', { dueAtMs: Number.POSITIVE_INFINITY }),
      record('far', { dueAtMs: 2 ** 48 }),
      record('none', { dueAtMs: Number.NaN }),
      record('nowhere', { channel: 'nowhere' }),
      record('nobody', { group: 'nobody' }),
      record('i'.repeat(1_024), { key: 'é'.repeat(512), dueAtMs: 2 ** 48 - 1 }),
      record('good'),
    ])
    expect(outcomes.map((outcome) => (outcome.ok ? 'ok' : outcome.error.code))).toEqual([
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'BODY_TOO_LARGE',
      'BODY_TOO_LARGE',
      'BODY_TOO_LARGE',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'INVALID_ARGUMENT',
      'NOT_FOUND',
      'NOT_FOUND',
      'ok',
      'ok',
    ])
    expect((await (await TestMember.join(engine, 5)).take(1))[0]?.record.id).toBe('good')
    expect(states.map(([state]) => state)).toEqual(['connected'])
    await engine.close()
  })
})

describe('a write that fails', () => {
  it('is told to everybody who waits and everybody who comes, ends subscriptions, and rejects nothing behind their backs', async () => {
    const unhandled = vi.fn()
    process.on('unhandledRejection', unhandled)
    const { engine, states } = await opened(directories.fresh())
    await declared(engine)
    const [member, gone] = [await TestMember.join(engine, 10), await TestMember.join(engine, 10)]
    await gone.subscription.stop()
    await published(engine, record('1'))
    const [delivery] = await member.take(1)
    if (delivery === undefined) throw new Error('nothing came')
    vi.spyOn(Store.prototype, 'commit').mockRejectedValue(new Error('no space left on device'))
    const waiting = [engine.publish([record('2'), record('3')]), member.subscription.settle([ack(delivery)])]
    for (const outcomes of await Promise.all(waiting)) {
      for (const outcome of outcomes)
        expect(outcome).toMatchObject({ ok: false, error: { code: 'ENGINE_WRITE_FAILED' } })
    }
    expect(await engine.publish([record('4')])).toMatchObject([{ ok: false, error: { code: 'ENGINE_WRITE_FAILED' } }])
    for (const call of [
      () => engine.declare({ channels: [], groups: [] }),
      () => engine.browsing.browse({ channel: 'c', limit: 1 }),
      () => engine.scheduling.cancel('c', 'x'),
      () => engine.lag.lag('c', 'g'),
      () => engine.subscribe({ channel: 'c', group: 'g', member: 'late' }, { deliver() {}, lost() {}, closed() {} }),
    ]) {
      await expect(call()).rejects.toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
    }
    expect(states.map(([state]) => state)).toEqual(['connected', 'lost'])
    expect(member.ended.map(({ code }) => code)).toEqual(['ENGINE_WRITE_FAILED'])
    expect(gone.ended, 'it had left').toEqual([])
    await member.subscription.stop()
    await engine.close()
    expect(unhandled).not.toHaveBeenCalled()
    process.off('unhandledRejection', unhandled)
  })
})

describe('close', () => {
  it('answers what waits, and can be called at any time and by anybody', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    await declared(engine)
    const member = await TestMember.join(engine, 10)
    await published(engine, record('1'))
    const [delivery] = await member.take(1)
    if (delivery === undefined) throw new Error('nothing came')
    const publishing = engine.publish([record('2'), record('3', { dueAtMs: Date.now() + 5 })])
    const closing = [engine.close(), engine.close()]
    expect(await publishing).toEqual([{ ok: true }, { ok: true }])
    expect(await member.subscription.settle([ack(delivery)])).toMatchObject([{ error: { code: 'DELIVERY_LOST' } }])
    await Promise.all(closing)
    await member.subscription.stop()
    expect(await member.subscription.settle([ack(delivery)])).toMatchObject([{ error: { code: 'DELIVERY_LOST' } }])
    await expect(engine.publish([])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    const again = await opened(dir)
    const heir = await TestMember.join(again.engine, 10)
    expect((await heir.take(3)).map(({ record: { id }, attempt }) => [id, attempt])).toEqual([
      ['1', 1],
      ['2', 1],
      ['3', 1],
    ])
    await again.engine.close()
  })

  it('leaves what is scheduled for the next process', async () => {
    const dir = directories.fresh()
    const { engine } = await opened(dir)
    await declared(engine)
    await published(engine, record('far', { dueAtMs: Date.now() + hour }))
    await engine.close()
    const again = await opened(dir)
    expect(await again.engine.lag.lag('c', 'g')).toEqual({ ready: 0, waiting: 1, inFlight: 0 })
    await again.engine.close()
  })
})

describe('the options', () => {
  it('are refused with every mistake in them', () => {
    const wrong = { dir: '', sync: false } as unknown as { dir: string }
    const issues = [expect.objectContaining({ path: 'dir' }), expect.objectContaining({ path: 'sync' })]
    expect(() => checkOptions(wrong)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', issues }))
    expect(checkOptions({ dir: 'data' })).toEqual({ dir: 'data' })
  })
})
