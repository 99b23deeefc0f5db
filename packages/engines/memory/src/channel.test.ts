import { describe, expect, it } from 'vitest'
import { declare, join, openEngine, record } from '../test/rig.ts'

async function idsIn(engine: Awaited<ReturnType<typeof openEngine>>['engine']): Promise<readonly string[]> {
  const page = await engine.browsing?.browse({ channel: 'c', limit: 100 })
  return page?.records.map((each) => each.record.id) ?? []
}

const bytes = (length: number) => ({ body: new Uint8Array(length) })

describe('retention', () => {
  it('keeps nothing that all groups have settled where none is asked for', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, {}, ['a', 'b'])
    await engine.publish([record('1'), record('2')])
    for (const group of ['a', 'b']) {
      expect(await idsIn(engine)).toEqual(['1', '2'])
      const member = await join(engine, 10, { group })
      await clock.advance(0)
      await member.settle(member.received.map(({ tag }) => ({ kind: 'ack', tag })))
    }
    expect(await idsIn(engine)).toEqual([])
  })

  it('keeps nothing at all where there is neither group nor retention', async () => {
    const { engine } = await openEngine()
    await declare(engine, {}, [])
    await engine.publish([record('1')])
    expect(await idsIn(engine)).toEqual([])
  })

  it('keeps events for their time, counted from when they were due', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { retention: { forMs: 1_000 } }, [])
    await engine.publish([record('now'), record('later', { dueAtMs: clock.nowMs() + 900 })])
    await clock.advance(999)
    await declare(engine, { retention: { forMs: 1_000 } }, ['in-time'])
    expect(await idsIn(engine)).toEqual(['now', 'later'])
    const member = await join(engine, 10, { group: 'in-time' })
    await clock.advance(1)
    expect(member.ids()).toEqual(['now', 'later'])
    await member.settle(member.received.map(({ tag }) => ({ kind: 'ack', tag })))
    await engine.publish([record('new')])
    expect(await idsIn(engine)).toEqual(['later', 'new'])
  })

  it('keeps the newest events up to a number of bytes, and what a group needs beyond that', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { retention: { bytesMax: 100 } }, [])
    await engine.publish(['1', '2', '3', '4'].map((id) => record(id, bytes(40))))
    expect(await idsIn(engine)).toEqual(['3', '4'])
    await declare(engine, { retention: { bytesMax: 100 } }, ['g'])
    await engine.publish([record('5', bytes(40))])
    expect(await idsIn(engine)).toEqual(['3', '4', '5'])
    const member = await join(engine)
    await clock.advance(0)
    await member.settle(member.received.map(({ tag }) => ({ kind: 'ack', tag })))
    await engine.publish([record('6', bytes(40))])
    expect(await idsIn(engine)).toEqual(['5', '6'])
  })

  it('does not keep what was addressed to one group', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { retention: { forMs: 1_000 } })
    await engine.publish([record('1'), record('2', { group: 'g' })])
    const member = await join(engine)
    await clock.advance(0)
    await member.settle(member.received.map(({ tag }) => ({ kind: 'ack', tag })))
    expect(await idsIn(engine)).toEqual(['1'])
  })
})

describe('queues', () => {
  it('give a group everything that stands in them, wherever it was told to begin', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { kind: 'queue' }, [])
    await engine.publish([record('1')])
    await engine.declare({ channels: [], groups: [{ channel: 'c', group: 'g', from: 'next' }] })
    const member = await join(engine)
    await clock.advance(0)
    expect(member.ids()).toEqual(['1'])
  })

  it('forget a record once it is acknowledged', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { kind: 'queue' })
    await engine.publish([record('1'), record('2')])
    const member = await join(engine, 1)
    await clock.advance(0)
    await member.settle([{ kind: 'ack', tag: 1 }])
    expect(await idsIn(engine)).toEqual(['2'])
  })
})

describe('moving', () => {
  it('takes a record out from under a group, with its wait, its hold and its place', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { kind: 'queue' })
    await engine.publish(['1', '2', '3'].map((id) => record(id, { key: 'k' })))
    const member = await join(engine, 1)
    await clock.advance(0)
    const visibleAtMs = clock.nowMs() + 1_000
    await member.settle([{ kind: 'release', tag: 1, countsAttempt: true, visibleAtMs, holdKey: true }])
    expect(await engine.lag?.lag('c', 'g')).toEqual({ ready: 0, waiting: 3, inFlight: 0 })
    const page = await engine.browsing?.browse({ channel: 'c', limit: 10 })
    const [first, second] = page?.records.map(({ position }) => position) ?? []
    await engine.browsing?.move(
      'c',
      [first, second].map((position) => ({ position: position ?? '', publish: [] })),
    )
    expect(clock.pending()).toBe(1)
    expect(await engine.lag?.lag('c', 'g')).toEqual({ ready: 1, waiting: 0, inFlight: 0 })
    member.grant(10)
    await clock.advance(2_000)
    expect(member.ids()).toEqual(['1', '3'])
  })

  it('leaves a record alone that is being handled', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { kind: 'queue' })
    await engine.publish([record('1')])
    const member = await join(engine)
    await clock.advance(0)
    const move = { position: member.received[0]?.position ?? '', publish: [record('2')] }
    expect(await engine.browsing?.move('c', [move])).toMatchObject([{ ok: false, error: { code: 'CONFLICT' } }])
    expect(await idsIn(engine)).toEqual(['1'])
  })

  it('is for queues: a log keeps its records', async () => {
    const { engine } = await openEngine()
    await declare(engine)
    await expect(engine.browsing?.move('c', [])).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  })
})

describe('scheduling', () => {
  it('cancels every record that waits under an id', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    const dueAtMs = clock.nowMs() + 100
    await engine.publish([
      record('same', { dueAtMs }),
      record('same', { dueAtMs: dueAtMs + 50 }),
      record('other', { dueAtMs }),
    ])
    expect(await engine.scheduling?.cancel('c', 'same')).toBe(true)
    const member = await join(engine)
    await clock.advance(200)
    expect(member.ids()).toEqual(['other'])
  })

  it('cancels what still waits under an id when another has come', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    const dueAtMs = clock.nowMs() + 100
    await engine.publish([record('same', { dueAtMs }), record('same', { dueAtMs: dueAtMs + 50 })])
    await clock.advance(100)
    expect(await engine.scheduling?.cancel('c', 'same')).toBe(true)
    expect(await engine.scheduling?.cancel('c', 'same')).toBe(false)
    const member = await join(engine)
    await clock.advance(200)
    expect(member.ids()).toEqual(['same'])
  })
})

describe('deduplication', () => {
  it('stores an id once within its window, whatever way it comes in, and a redrive always', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { deduplicateForMs: 1_000 })
    const dueAtMs = clock.nowMs() + 500
    await engine.publish([record('a'), record('a'), record('later', { dueAtMs })])
    await engine.publish([record('later'), record('a', { group: 'g' })])
    const member = await join(engine)
    await clock.advance(0)
    expect(member.ids()).toEqual(['a', 'a'])
    await member.settle([{ kind: 'ack', tag: 1, publish: [record('a'), record('b')] }])
    await clock.advance(999)
    expect(member.ids()).toEqual(['a', 'a', 'b', 'later'])
    await engine.publish([record('a')])
    await clock.advance(1)
    await engine.publish([record('a'), record('later')])
    await clock.advance(0)
    expect(member.ids()).toEqual(['a', 'a', 'b', 'later', 'a', 'later'])
  })

  it('does not know an id for what could not be stored', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine, { deduplicateForMs: 1_000 })
    await engine.publish([record('a', { key: 'k'.repeat(1_025) }), record('a')])
    const member = await join(engine)
    await clock.advance(0)
    expect(member.ids()).toEqual(['a'])
  })
})
