import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../test/memory-store.ts'
import { record } from '../test/records.ts'
import { Scheduler } from './scheduler.ts'
import { Committer } from './storage/committer.ts'
import { timeFloor, wideMax } from './storage/keys.ts'

const turn = () => new Promise((resolve) => setImmediate(resolve))

/** A scheduler whose due records land in a list; made again from the store whenever the test likes. */
function started(store = new MemoryStore(), clock = manualClock(1_000_000), boot = 1) {
  const moved: OutgoingRecord[] = []
  const damaged: Buffer[] = []
  const committer = new Committer(store, () => {})
  const target = { id: 5, name: 'c', append: (each: OutgoingRecord) => void moved.push(each) }
  const scheduler = new Scheduler({
    store: store.asStore(),
    committer,
    clock,
    boot,
    target: (id) => (id === 5 ? target : undefined),
    targetOf: (channel) => (channel === 'c' ? target : undefined),
    onDamaged: (_key, row) => damaged.push(row),
  })
  const add = (id: string, inMs: number) => {
    const dueAtMs = clock.nowMs() + inMs
    scheduler.add(target, record(id, { dueAtMs }), dueAtMs)
  }
  const advance = async (ms: number) => {
    await clock.advance(ms)
    await committer.flushed()
    await turn()
    await clock.advance(0)
    await committer.flushed()
  }
  const ids = () => moved.map(({ id }) => id)
  return { store, clock, committer, scheduler, moved, damaged, add, advance, ids }
}

describe('Scheduler', () => {
  it('moves what is due, in order of time, once, over restarts at any moment', async () => {
    const steps = fc.array(
      fc.oneof(
        { weight: 4, arbitrary: fc.record({ addInMs: fc.integer({ min: 1, max: 90_000 }) }) },
        { weight: 2, arbitrary: fc.record({ goMs: fc.nat(70_000) }) },
        { weight: 1, arbitrary: fc.record({ cancel: fc.nat() }) },
        { weight: 1, arbitrary: fc.constant({ restart: true as const }) },
      ),
      { maxLength: 30 },
    )
    await fc.assert(
      fc.asyncProperty(steps, async (program) => {
        let run = started()
        const waiting = new Map<string, number>()
        for (const [index, step] of program.entries()) {
          if ('addInMs' in step) {
            run.add(`${index}`, step.addInMs)
            await run.committer.flushed()
            waiting.set(`${index}`, run.clock.nowMs() + step.addInMs)
          } else if ('goMs' in step) {
            await run.advance(step.goMs)
            const due = [...waiting].filter(([, atMs]) => atMs <= run.clock.nowMs())
            expect(run.ids()).toEqual(due.sort(([a, x], [b, y]) => x - y || Number(a) - Number(b)).map(([id]) => id))
            for (const [id] of due) waiting.delete(id)
            run.moved.length = 0
          } else if ('cancel' in step) {
            const id = [...waiting.keys()][step.cancel % Math.max(1, waiting.size)] ?? 'none'
            expect(await run.scheduler.cancel('c', id)).toBe(waiting.delete(id))
          } else {
            run.scheduler.close()
            run = started(run.store, run.clock, index + 2)
          }
          expect(run.scheduler.waiting(5)).toBe(waiting.size)
        }
      }),
      { numRuns: 40 },
    )
  })

  it('moves a record whose time comes while it is being written', async () => {
    const { store, clock, committer, add, ids } = started()
    let end = () => {}
    store.failing = () =>
      new Promise<void>((resolve) => {
        end = resolve
      })
    add('short', 5)
    const flushed = committer.flushed()
    await turn()
    await clock.advance(10)
    store.failing = undefined
    end()
    await flushed
    await clock.advance(0)
    await committer.flushed()
    expect(ids()).toEqual(['short'])
  })

  it('tells records of one id apart, and cancels all of them that wait', async () => {
    const { scheduler, add, advance, ids } = started()
    add('same', 10)
    add('same', 1_000)
    add('sam', 1_000)
    await advance(10)
    expect(ids()).toEqual(['same'])
    add('same', 2_000)
    expect(await scheduler.cancel('c', 'same')).toBe(true)
    expect(await scheduler.cancel('c', 'same')).toBe(false)
    await advance(5_000)
    expect(ids()).toEqual(['same', 'sam'])
  })

  it('cancels what is scheduled again under an id that was just cancelled', async () => {
    const { scheduler, add, advance, ids } = started()
    add('x', 1_000)
    const first = scheduler.cancel('c', 'x')
    expect(await first).toBe(true)
    const second = scheduler.cancel('c', 'x')
    add('x', 1_000)
    expect(await second).toBe(false)
    expect(await scheduler.cancel('c', 'x')).toBe(true)
    await advance(2_000)
    expect(ids()).toEqual([])
  })

  it('moves more than it takes at a time', async () => {
    const { committer, clock, store, add, moved } = started()
    for (let i = 0; i < 2_500; i++) add(`${i}`, 10)
    await committer.flushed()
    await clock.advance(10)
    while (moved.length < 2_500) await turn()
    await committer.flushed()
    expect(new Set(moved.map(({ id }) => id)).size).toBe(2_500)
    expect([store.count('timers'), store.count('scheduled')]).toEqual([0, 0])
  })

  it('reports a row it cannot read, and goes on with the others', async () => {
    const { store, committer, add, advance, damaged, ids } = started()
    add('bad', 10)
    add('good', 20)
    await committer.flushed()
    const [first] = store.rows('timers', { from: timeFloor(0), to: timeFloor(wideMax) })
    await store.commit((tx) => tx.put('timers', first?.key ?? Buffer.alloc(0), Buffer.from('damaged!')))
    await advance(100)
    expect([ids(), damaged.map(String)]).toEqual([['good'], ['damaged!']])
    expect(store.count('timers')).toBe(0)
  })

  it('does nothing any more once it is closed', async () => {
    const { clock, scheduler, committer, add, ids } = started()
    add('a', 10)
    await committer.flushed()
    scheduler.close()
    expect(clock.pending()).toBe(0)
    await clock.advance(100)
    expect(ids()).toEqual([])
  })
})
