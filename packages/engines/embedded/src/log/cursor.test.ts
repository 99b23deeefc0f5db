import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../test/memory-store.ts'
import { record } from '../../test/records.ts'
import { Committer } from '../storage/committer.ts'
import { offsetKey } from '../storage/keys.ts'
import { ChannelLog } from './channel-log.ts'
import { Cursor } from './cursor.ts'
import { RecentBlocks } from './recent-blocks.ts'

/** A process that reads one log: made again from the store whenever the test likes. */
class Process {
  readonly committer: Committer
  readonly log: ChannelLog
  readonly cursor: Cursor
  readonly damaged: number[] = []

  constructor(store: MemoryStore, { exclusive, recentBytes }: { exclusive: boolean; recentBytes: number }) {
    this.committer = new Committer(store, () => {})
    this.log = new ChannelLog(
      { id: 1, spec: { name: 'c', kind: 'log', keyed: false } },
      {
        store: store.asStore(),
        committer: this.committer,
        recent: new RecentBlocks(recentBytes),
        nowMs: () => 1,
        onDamagedBlock: (_log, first) => this.damaged.push(first),
      },
    )
    const identity = { id: 7, log: this.log, exclusive }
    this.cursor =
      Cursor.restore(identity, this.committer, store.asStore()) ?? Cursor.create(identity, this.committer, 0)
    this.log.readers.add({
      floor: 0,
      follows: () => true,
      appending: () => {},
      appended: () => {},
    })
  }

  append(count: number): void {
    for (let i = 0; i < count; i++) this.log.append(record(`${this.log.next}`))
  }

  /** Settles as the group does, through the block that holds the record. */
  settle(offset: number): void {
    const block = this.log.blockOf(offset)
    if (block !== undefined) this.cursor.settle(this.cursor.segmentOf(block), offset)
  }

  /** Reads to the end: what is not settled, in order. */
  readAll(): number[] {
    const found: number[] = []
    for (let block = this.cursor.nextBlock(); block !== undefined; block = this.cursor.nextBlock()) {
      const segment = this.cursor.segmentOf(block)
      for (let index = 0; index < block.count; index++) {
        const offset = block.first + index
        if (!segment.has(offset)) expect(block.record(index)?.id).toBe(`${offset}`)
        if (!segment.has(offset)) found.push(offset)
      }
      this.cursor.pass(block)
    }
    return found
  }
}

type Step = { append: number } | { settle: number } | { commit: true } | { restart: true } | { read: true }

const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 6 }) }) },
    { weight: 12, arbitrary: fc.record({ settle: fc.nat(200) }) },
    { weight: 4, arbitrary: fc.constant({ commit: true as const }) },
    { weight: 2, arbitrary: fc.constant({ restart: true as const }) },
    { weight: 2, arbitrary: fc.constant({ read: true as const }) },
  ),
  { maxLength: 120 },
)

/** What is true of a cursor, whatever happened to it, given the offsets that are settled. */
function expectAgreement({ cursor, log }: Process, settled: ReadonlySet<number>): void {
  const all = Array.from({ length: log.committedEnd }, (_, offset) => offset)
  expect(all.filter((offset) => cursor.isSettled(offset))).toEqual(all.filter((offset) => settled.has(offset)))
  expect(all.filter((offset) => offset < cursor.floor && !settled.has(offset))).toEqual([])
  expect(cursor.unsettled).toBe(log.next - all.filter((offset) => settled.has(offset)).length)
}

async function runSteps(program: readonly Step[], how: { exclusive: boolean; recentBytes: number }): Promise<void> {
  let store = new MemoryStore()
  let process = new Process(store, how)
  let settled = new Set<number>()
  let durable = { store: store.copy(), settled: new Set<number>() }
  const commit = async () => {
    await process.committer.flushed()
    // As of now: a process that goes on writes more than anybody waits for.
    durable = { store: store.copy(), settled: new Set(settled) }
  }
  await commit()
  for (const step of program) {
    if ('append' in step) process.append(step.append)
    else if ('settle' in step && step.settle < process.log.committedEnd) {
      process.settle(step.settle)
      settled.add(step.settle)
    } else if ('commit' in step) await commit()
    else if ('restart' in step) {
      store = durable.store.copy()
      process = new Process(store, how)
      settled = new Set(durable.settled)
    } else if ('read' in step) {
      const found = process.readAll()
      expect(found.filter((offset) => settled.has(offset))).toEqual([])
    }
    expectAgreement(process, settled)
  }
  await commit()
  store = durable.store
  const last = new Process(store, how)
  expectAgreement(last, durable.settled)
  const all = Array.from({ length: last.log.committedEnd }, (_, offset) => offset)
  expect(last.readAll()).toEqual(all.filter((offset) => !durable.settled.has(offset)))
  for (const offset of all) last.settle(offset)
  await last.committer.flushed()
  expect([last.cursor.floor, last.cursor.unsettled]).toEqual([all.length, 0])
  expect(store.count('settled')).toBe(0)
  if (how.exclusive) expect(store.count('blocks')).toBe(0)
}

describe('Cursor', () => {
  it.each([
    { exclusive: false, recentBytes: 1_000_000 },
    { exclusive: true, recentBytes: 1_000_000 },
    { exclusive: true, recentBytes: 100 },
  ])('agrees with a set of settled offsets over settlements in any order and restarts at any time %o', async (how) => {
    await fc.assert(
      fc.asyncProperty(steps, (program) => runSteps(program, how)),
      { numRuns: 60 },
    )
  })

  it('keeps one row for a hole, however many blocks are settled behind it', async () => {
    const store = new MemoryStore()
    const process = new Process(store, { exclusive: false, recentBytes: 1_000 })
    for (let i = 0; i < 50; i++) {
      process.append(4)
      await process.committer.flushed()
    }
    for (let offset = 1; offset < 200; offset++) process.settle(offset)
    await process.committer.flushed()
    expect(process.cursor).toMatchObject({ floor: 0, unsettled: 1 })
    expect(store.count('settled')).toBeLessThanOrEqual(2)
    expect(new Process(store, { exclusive: false, recentBytes: 0 }).readAll()).toEqual([0])
  })

  it('begins within a block where it is told to', async () => {
    const store = new MemoryStore()
    const process = new Process(store, { exclusive: false, recentBytes: 0 })
    process.append(3)
    const late = Cursor.create({ id: 8, log: process.log, exclusive: false }, process.committer, process.log.next)
    process.append(3)
    await process.committer.flushed()
    const block = late.nextBlock()
    expect(block?.first).toBe(0)
    expect([0, 1, 2, 3, 4, 5].filter((offset) => !late.isSettled(offset))).toEqual([3, 4, 5])
  })

  it('passes over blocks that cannot be read, and over nothing else', async () => {
    const store = new MemoryStore()
    const process = new Process(store, { exclusive: false, recentBytes: 0 })
    for (let i = 0; i < 200; i++) {
      process.append(2)
      await process.committer.flushed()
    }
    // More in a row than are read at a time.
    await store.commit((tx) => {
      for (let i = 10; i < 150; i++) tx.put('blocks', offsetKey(1, 2 * i), Buffer.alloc(40))
    })
    const gaps: number[] = []
    process.cursor.onGap = (end) => gaps.push(end)
    const found = process.readAll()
    expect(found).toEqual(Array.from({ length: 400 }, (_, offset) => offset).filter((at) => at < 20 || at >= 300))
    expect(gaps).toEqual([300])
    expect([...new Set(process.damaged)]).toEqual(Array.from({ length: 140 }, (_, i) => 20 + 2 * i))
  })

  it('takes what it claimed for suspect after a crash, and nothing after an orderly end', async () => {
    const store = new MemoryStore()
    const how = { exclusive: false, recentBytes: 1_000 }
    const first = new Process(store, how)
    first.cursor.claimTarget = () => 3
    first.append(5)
    first.cursor.touch()
    await first.committer.flushed()
    expect(first.cursor.durableClaim).toBe(3)
    const suspects = ({ cursor }: Process) => [0, 1, 2, 3, 4].filter((offset) => cursor.isSuspect(offset))
    const second = new Process(store, how)
    expect(suspects(second)).toEqual([0, 1, 2])
    second.cursor.disclaim()
    await second.committer.flushed()
    expect(suspects(new Process(store, how)), 'nobody has looked at them').toEqual([0, 1, 2])
    const third = new Process(store, how)
    third.readAll()
    third.cursor.disclaim()
    await third.committer.flushed()
    expect(suspects(new Process(store, how))).toEqual([])
  })
})
