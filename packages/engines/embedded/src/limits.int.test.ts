import { statSync } from 'node:fs'
import { join } from 'node:path'
import type { EngineSubscription, OutgoingRecord } from '@posthaste/contracts'
import { type ManualClock, manualClock, silentLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { EmbeddedEngine } from './engine.ts'
import { Store } from './storage/store.ts'

/*
 * What must not grow with what a directory holds. The same at full scale, with times and memory: `npm run bench -- limits`.
 */

let directories = new Directories()
let dir = ''
let clock: ManualClock
let engine: EmbeddedEngine

beforeEach(async () => {
  directories = new Directories()
  dir = directories.fresh()
  clock = manualClock()
  await reopen()
})

afterEach(async () => {
  vi.restoreAllMocks()
  await engine.close()
  directories.remove()
})

async function reopen(): Promise<void> {
  await engine?.close()
  engine = new EmbeddedEngine({ dir })
  await engine.open({ clock, log: silentLog, instance: 'test', random: () => 0.5, onState: () => {} })
}

async function declare(names: readonly string[], keyed = false): Promise<void> {
  await engine.declare({
    channels: names.map((name) => ({ name, kind: 'queue', keyed })),
    groups: names.map((channel) => ({ channel, group: 'g', from: 'earliest' })),
  })
}

async function publish(records: readonly OutgoingRecord[]): Promise<void> {
  for (const outcome of await engine.publish(records)) expect(outcome).toEqual({ ok: true })
}

const named = (count: number): string[] => Array.from({ length: count }, (_, index) => `c.${index}`)

/** Lets transactions be written until something is so. */
async function until(isSo: () => boolean | Promise<boolean>): Promise<void> {
  while (!(await isSo())) await engine.publish([])
}

/** Takes all that comes and acknowledges it. */
async function drain(channel: string, count: number): Promise<void> {
  let settled = 0
  const subscription: EngineSubscription = await engine.subscribe(
    { channel, group: 'g', member: 'm' },
    {
      deliver: (batch) => {
        settled += batch.length
        void subscription.settle(batch.map(({ tag }) => ({ kind: 'ack', tag })))
        subscription.grant(batch.length)
      },
      lost: () => {},
      closed: () => {},
    },
  )
  subscription.grant(100)
  await until(() => settled >= count)
  await subscription.stop()
}

/** How many ranges, and how many rows of ranges, are read while something happens. */
async function readsOf(work: () => Promise<unknown>): Promise<{ ranges: number; rows: number }> {
  const reads = { ranges: 0, rows: 0 }
  const { storedRows, keys } = Store.prototype
  vi.spyOn(Store.prototype, 'storedRows').mockImplementation(function (this: Store, ...args) {
    const found = storedRows.apply(this, args)
    reads.ranges++
    reads.rows += found.length
    return found
  })
  vi.spyOn(Store.prototype, 'keys').mockImplementation(function (this: Store, ...args) {
    const found = keys.apply(this, args)
    reads.ranges++
    reads.rows += found.length
    return found
  })
  await work()
  vi.restoreAllMocks()
  return reads
}

describe('opening', () => {
  it('reads as much of a long backlog as of a short one', async () => {
    await declare(['c'])
    await publish([record('first')])
    const short = await readsOf(reopen)
    for (let block = 0; block < 200; block++) await publish([record(`${block}`)])
    expect(await readsOf(reopen)).toEqual(short)
  })

  it('reads as many ranges where there are many channels as where there is one', async () => {
    await declare(['c'])
    const few = await readsOf(reopen)
    await declare(named(300))
    expect((await readsOf(reopen)).ranges).toBe(few.ranges)
  })

  it('reads one timer, however many there are, and counts them without reading any', async () => {
    await declare(['c'])
    await publish([record('first', { dueAtMs: clock.nowMs() + 1_000_000 })])
    const short = await readsOf(reopen)
    await publish(named(500).map((id) => record(id, { dueAtMs: clock.nowMs() + 1_000_000 })))
    expect(await readsOf(reopen)).toEqual(short)
    const counting = await readsOf(async () => {
      expect((await engine.lag.lag('c', 'g')).waiting).toBe(501)
    })
    expect(counting).toEqual({ ranges: 0, rows: 0 })
  })

  it('does not measure a log whose size is bounded', async () => {
    const channel = { name: 'log', kind: 'log', keyed: false, retention: { bytesMax: 1e6, forMs: 1e9 } } as const
    await engine.declare({ channels: [channel], groups: [] })
    await publish([record('first', { channel: 'log' })])
    const short = await readsOf(reopen)
    for (let block = 0; block < 100; block++) await publish([record(`${block}`, { channel: 'log' })])
    expect(await readsOf(reopen)).toEqual(short)
  })
})

describe('a thousand timers that are due at once', () => {
  it('move in portions that leave others their turns', async () => {
    await declare(['c'])
    const ids = named(1_700)
    await publish(ids.map((id, index) => record(id, { dueAtMs: clock.nowMs() + 1 + (index % 7) })))
    const portions: number[] = []
    const { rows } = Store.prototype
    vi.spyOn(Store.prototype, 'rows').mockImplementation(function (this: Store, table, range) {
      const found = rows.call(this, table, range)
      if (table === 'timers') portions.push(found.length)
      return found
    })
    await clock.advance(100)
    await drain('c', ids.length)
    expect(Math.max(...portions)).toBeLessThanOrEqual(500)
    expect(portions.reduce((sum, each) => sum + each, 0)).toBeGreaterThanOrEqual(ids.length)
  })
})

describe('the data file', () => {
  it('stays as large as it was while a day of messages, retries and timers passes through', async () => {
    await declare(['c'], true)
    const sizes: number[] = []
    for (let part = 0; part < 24; part++) {
      const ids = named(200).map((id) => `${part}-${id}`)
      await publish(
        ids.map((id, index) =>
          record(id, { key: `k${index % 9}`, body: Buffer.alloc(400), dueAtMs: clock.nowMs() + (index % 3) * 1_000 }),
        ),
      )
      await clock.advance(3_600_000)
      await drain('c', ids.length)
      sizes.push(statSync(join(dir, 'data.mdb')).size)
    }
    expect(Math.max(...sizes)).toBeLessThanOrEqual(sizes[6]! * 1.1)
  })
})
