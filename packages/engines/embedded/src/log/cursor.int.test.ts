import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyAsKilled, Directories } from '../../test/installation.ts'
import { record } from '../../test/records.ts'
import { Committer } from '../storage/committer.ts'
import { Store } from '../storage/store.ts'
import { ChannelLog } from './channel-log.ts'
import { Cursor } from './cursor.ts'
import { RecentBlocks } from './recent-blocks.ts'

let directories: Directories
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

/** One life of a process: a log and a cursor over a store on disk. */
class Life {
  readonly store: Store
  readonly committer: Committer
  readonly log: ChannelLog
  readonly cursor: Cursor

  constructor(dir: string, { exclusive }: { exclusive: boolean }) {
    this.store = new Store(dir)
    this.committer = new Committer(this.store, () => {})
    this.log = new ChannelLog(
      { id: 1, spec: { name: 'c', kind: 'log', keyed: false } },
      {
        store: this.store,
        committer: this.committer,
        recent: new RecentBlocks(1_000_000),
        nowMs: () => 1,
        onDamagedBlock: () => {},
      },
    )
    const identity = { id: 9, log: this.log, exclusive }
    this.cursor = Cursor.restore(identity, this.committer, this.store) ?? Cursor.create(identity, this.committer, 0)
    const { cursor } = this
    this.log.readers.add({
      get floor() {
        return cursor.floor
      },
      follows: () => true,
      appending: () => {},
      appended: () => {},
    })
  }

  async append(count: number): Promise<void> {
    for (let i = 0; i < count; i++) this.log.append(record(`${this.log.next}`))
    await this.committer.flushed()
  }

  /** Reads at most so many blocks on; gives what is not settled of them, in order. */
  read(blocksMax = Number.POSITIVE_INFINITY): number[] {
    const found: number[] = []
    for (let read = 0; read < blocksMax; read++) {
      const block = this.cursor.nextBlock()
      if (block === undefined) break
      const segment = this.cursor.segmentOf(block)
      for (let offset = block.first; offset < block.first + block.count; offset++) {
        if (segment.has(offset)) continue
        expect(block.record(offset - block.first)?.id).toBe(`${offset}`)
        found.push(offset)
      }
      this.cursor.pass(block)
    }
    return found
  }

  settle(offset: number): void {
    const block = this.log.blockOf(offset)
    if (block !== undefined && !this.cursor.isSettled(offset)) this.cursor.settle(this.cursor.segmentOf(block), offset)
  }

  offsets(isWanted: (offset: number) => boolean = () => true): number[] {
    return Array.from({ length: this.log.committedEnd }, (_, offset) => offset).filter(isWanted)
  }
}

const program = fc.array(
  fc.oneof(
    { weight: 2, arbitrary: fc.record({ append: fc.integer({ min: 1, max: 20 }) }) },
    { weight: 6, arbitrary: fc.record({ settle: fc.array(fc.nat(10_000), { maxLength: 12 }) }) },
    { weight: 4, arbitrary: fc.record({ settleNext: fc.integer({ min: 1, max: 15 }) }) },
    { weight: 3, arbitrary: fc.record({ read: fc.integer({ min: 1, max: 3 }) }) },
    { weight: 2, arbitrary: fc.constant({ kill: true as const }) },
  ),
  { minLength: 5, maxLength: 40 },
)

describe.each([{ exclusive: false }, { exclusive: true }])('a cursor on disk, exclusive: $exclusive,', (how) => {
  it('agrees with a set, through settling in any order, reading and kills', async () => {
    await fc.assert(
      fc.asyncProperty(program, async (steps) => {
        let dir = directories.fresh()
        let life = new Life(dir, how)
        await life.committer.flushed()
        const settled = new Set<number>()
        /** What this life has read, beginning with the first unsettled record. */
        let readInThisLife: number[] = []
        for (const step of steps) {
          if ('append' in step) await life.append(step.append)
          else if ('settle' in step || 'settleNext' in step) {
            const { log } = life
            const chosen =
              'settle' in step
                ? step.settle.filter(() => log.committedEnd > 0).map((wish) => wish % log.committedEnd)
                : life.offsets((offset) => !settled.has(offset)).slice(0, step.settleNext)
            for (const offset of chosen) {
              life.settle(offset)
              settled.add(offset)
            }
            await life.committer.flushed()
          } else if ('read' in step) readInThisLife.push(...life.read(step.read))
          else {
            const next = directories.fresh()
            await copyAsKilled(dir, next)
            await life.store.close()
            dir = next
            life = new Life(dir, how)
            readInThisLife = []
          }
          const { cursor } = life
          const isSettled = (offset: number) => settled.has(offset)
          expect(life.offsets((offset) => cursor.isSettled(offset))).toEqual(life.offsets(isSettled))
          expect(cursor.unsettled).toBe(life.log.next - settled.size)
          expect(life.offsets((offset) => offset < cursor.floor && !isSettled(offset))).toEqual([])
          expect(readInThisLife).toEqual([...new Set(readInThisLife)].sort((a, b) => a - b))
        }
        // Whatever was not read in this life and is not settled comes now, and nothing else.
        const seen = new Set(readInThisLife)
        const rest = life.read()
        expect(rest).toEqual(life.offsets((offset) => rest.includes(offset)))
        expect(rest.filter((offset) => seen.has(offset) || settled.has(offset))).toEqual([])
        expect(life.offsets((offset) => !settled.has(offset) && !seen.has(offset))).toEqual(rest)
        for (const offset of life.offsets()) life.settle(offset)
        await life.committer.flushed()
        expect([life.cursor.floor, life.cursor.unsettled]).toEqual([life.log.committedEnd, 0])
        if (how.exclusive) {
          await life.committer.flushed()
          expect(life.log.readFrom(0)).toEqual([])
        }
        await life.store.close()
      }),
      { numRuns: 20 },
    )
  })
})

describe('a claim', () => {
  it('is durable before it is believed, and is what a killed process may have handed over', async () => {
    const dir = directories.fresh()
    const life = new Life(dir, { exclusive: false })
    await life.append(6)
    let claims = 0
    life.cursor.onClaimed = () => claims++
    life.cursor.claimTarget = () => 4
    life.cursor.touch()
    expect(life.cursor.durableClaim).toBe(0)
    await life.committer.flushed()
    expect([life.cursor.durableClaim, claims]).toEqual([4, 1])
    const next = directories.fresh()
    await copyAsKilled(dir, next)
    const heir = new Life(next, { exclusive: false })
    expect(heir.offsets((offset) => heir.cursor.isSuspect(offset))).toEqual([0, 1, 2, 3])
    await heir.store.close()
    life.read()
    life.cursor.disclaim()
    await life.committer.flushed()
    await life.store.close()
    const orderly = new Life(dir, { exclusive: false })
    expect(orderly.offsets((offset) => orderly.cursor.isSuspect(offset))).toEqual([])
    await orderly.store.close()
  })
})
