import type { Retention } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { MemoryStore } from '../../test/memory-store.ts'
import { record } from '../../test/records.ts'
import { Committer } from '../storage/committer.ts'
import { ChannelLog } from './channel-log.ts'
import { RecentBlocks } from './recent-blocks.ts'
import { LogRetention } from './retention.ts'

/** A log with readers whose floors the test moves. */
function started(retention: Retention | undefined, store = new MemoryStore(), clock = manualClock()) {
  const committer = new Committer(store, () => {})
  const context = {
    store: store.asStore(),
    committer,
    clock,
    recent: new RecentBlocks(1_000_000),
    nowMs: () => clock.nowMs(),
    onDamagedBlock: () => {},
  }
  const log = new ChannelLog({ id: 1, spec: { name: 'c', kind: 'log', keyed: false, retention } }, context)
  const sweeper = new LogRetention([log], context)
  log.retention = sweeper
  const reader = () => {
    const state = { floor: 0, follows: () => false, appending: () => {}, appended: () => {} }
    log.readers.add(state)
    return state
  }
  const append = async (count: number, bytes = 10) => {
    for (let i = 0; i < count; i++) log.append(record(`${log.next}`, { body: new Uint8Array(bytes) }))
    await committer.flushed()
  }
  const sweep = async () => {
    log.floorMoved()
    await committer.flushed()
    await committer.flushed()
  }
  const kept = () => log.readFrom(0).map(({ first }) => first)
  return { store, clock, committer, log, sweeper, reader, append, sweep, kept }
}

describe('LogRetention', () => {
  it('keeps a block until every reader is past all of it', async () => {
    const { reader, append, sweep, kept } = started(undefined)
    const [a, b] = [reader(), reader()]
    for (let i = 0; i < 3; i++) await append(4)
    a.floor = 12
    for (const [floor, left] of [
      [0, [0, 4, 8]],
      [3, [0, 4, 8]],
      [4, [4, 8]],
      [7, [4, 8]],
      [11, [8]],
      [12, []],
    ] as const) {
      b.floor = floor
      await sweep()
      expect(kept(), `floor ${floor}`).toEqual(left)
    }
  })

  it('keeps nothing where there is neither reader nor retention', async () => {
    const { append, committer, kept } = started(undefined)
    await append(4)
    await append(4)
    await committer.flushed()
    expect(kept()).toEqual([])
  })

  it('keeps what is settled for as long as it was asked to, without anybody moving', async () => {
    const { clock, reader, append, committer, kept } = started({ forMs: 100_000 })
    const only = reader()
    await append(2)
    await clock.advance(60_000)
    await append(2)
    only.floor = 4
    await clock.advance(39_000)
    await committer.flushed()
    expect(kept()).toEqual([0, 2])
    await clock.advance(26_000)
    await committer.flushed()
    expect(kept()).toEqual([2])
    await clock.advance(100_000)
    await committer.flushed()
    expect(kept()).toEqual([])
  })

  it('keeps at most so many bytes of what is settled, also over a restart, and all that is not', async () => {
    const run = started({ bytesMax: 5_000 })
    const only = run.reader()
    for (let i = 0; i < 10; i++) await run.append(1, 1_000)
    await run.sweep()
    expect(run.kept()).toHaveLength(10)
    const again = started({ bytesMax: 5_000 }, run.store)
    const later = again.reader()
    later.floor = 10
    await again.sweep()
    expect(again.kept()).toEqual([6, 7, 8, 9])
    expect(only.floor).toBe(0)
  })

  it('goes on until all is removed when there is more than one transaction may remove', async () => {
    const { reader, append, sweep, kept, committer, store } = started(undefined)
    const only = reader()
    for (let i = 0; i < 700; i++) await append(1, 1)
    only.floor = 700
    await sweep()
    for (let i = 0; i < 5; i++) await committer.flushed()
    expect([kept(), store.count('blocks')]).toEqual([[], 0])
  })

  it('has no timer left when it is closed', () => {
    const { clock, sweeper } = started({ forMs: 1_000 })
    expect(clock.pending()).toBe(1)
    sweeper.close()
    expect(clock.pending()).toBe(0)
  })
})
