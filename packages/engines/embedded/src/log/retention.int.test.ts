import type { Engine, OutgoingRecord, Retention } from '@posthaste/contracts'
import { type ManualClock, manualClock, silentLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Directories } from '../../test/installation.ts'
import { EmbeddedEngine } from '../engine.ts'

const day = 86_400_000
const bodyBytes = 1_000

let directories: Directories
let dir: string
let clock: ManualClock
let engine: Engine

beforeEach(async () => {
  directories = new Directories()
  dir = directories.fresh()
  clock = manualClock()
  engine = await opened()
})

afterEach(async () => {
  await engine.close()
  directories.remove()
})

async function opened(): Promise<Engine> {
  const fresh = new EmbeddedEngine({ dir })
  await fresh.open({ clock, log: silentLog, instance: 'test', random: () => 0.5, onState: () => {} })
  return fresh
}

async function reopen(): Promise<void> {
  await engine.close()
  engine = await opened()
}

async function declare(groups: readonly string[], retention: Retention | undefined): Promise<void> {
  await engine.declare({
    channels: [{ name: 'log', kind: 'log', keyed: false, retention }],
    groups: groups.map((group) => ({ channel: 'log', group, from: 'earliest' })),
  })
}

let published = 0

/** Publishes records, a block for each. */
async function publish(count: number): Promise<void> {
  for (let i = 0; i < count; i++) {
    const record: OutgoingRecord = {
      id: `${published++}`,
      channel: 'log',
      headers: {},
      body: Buffer.alloc(bodyBytes),
    }
    await engine.publish([record])
  }
}

beforeEach(() => {
  published = 0
})

/** Acknowledges all that a group has, but what it is told to keep. Stops then. */
async function consume(group: string, count: number, keep: readonly string[] = []): Promise<string[]> {
  const ids: string[] = []
  let settled = Promise.resolve<unknown>(undefined)
  const done = Promise.withResolvers<void>()
  const subscription = await engine.subscribe(
    { channel: 'log', group, member: 'm' },
    {
      deliver(batch) {
        ids.push(...batch.map(({ record }) => record.id))
        const acks = batch.filter(({ record }) => !keep.includes(record.id))
        settled = settled.then(() => subscription.settle(acks.map(({ tag }) => ({ kind: 'ack', tag }))))
        if (ids.length === count) done.resolve()
      },
      lost: () => {},
      closed: done.reject,
    },
  )
  subscription.grant(count)
  await done.promise
  await settled
  await subscription.stop()
  await quiet()
  return ids
}

/** Lets the transactions that follow from the last one be written. */
async function quiet(): Promise<void> {
  for (let i = 0; i < 3; i++) await engine.publish([])
}

async function kept(): Promise<string[]> {
  const page = await engine.browsing?.browse({ channel: 'log', limit: 10_000 })
  return page?.records.map(({ record }) => record.id) ?? []
}

const ids = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => `${from + index}`)

describe('a log on disk', () => {
  it('keeps every block that some group has not settled, whatever its retention says', async () => {
    await declare(['fast', 'slow'], { forMs: 1_000, bytesMax: 1 })
    await publish(10)
    await consume('fast', 10)
    await clock.advance(day)
    await quiet()
    expect(await kept()).toEqual(ids(0, 10))
    expect(await consume('slow', 10, ['4'])).toEqual(ids(0, 10))
    expect(await kept()).toEqual(ids(4, 10))
    await reopen()
    expect(await kept()).toEqual(ids(4, 10))
    expect(await consume('slow', 1)).toEqual(['4'])
    expect(await kept()).toEqual([])
  })

  it('keeps what is settled for as long as it was told, and lets go of it without anybody moving', async () => {
    await declare(['g'], { forMs: day })
    await publish(3)
    await clock.advance(day / 2)
    await publish(2)
    await consume('g', 5)
    await reopen()
    await clock.advance(day / 2 - 120_000)
    await quiet()
    expect(await kept()).toEqual(ids(0, 5))
    await clock.advance(240_000)
    await quiet()
    expect(await kept()).toEqual(['3', '4'])
    await clock.advance(day / 2)
    await quiet()
    expect(await kept()).toEqual([])
  })

  it('keeps the newest that fit into so many bytes, counting those of an earlier process', async () => {
    await declare(['g'], { bytesMax: 5_500 })
    await publish(4)
    await consume('g', 4)
    expect(await kept()).toEqual(ids(0, 4))
    await reopen()
    await publish(4)
    await consume('g', 4)
    expect(await kept()).toEqual(ids(3, 8))
  })

  it('keeps nothing that all have settled where it was told nothing', async () => {
    await declare(['a', 'b'], undefined)
    await publish(4)
    await consume('a', 4)
    expect(await kept()).toEqual(ids(0, 4))
    await consume('b', 4)
    expect(await kept()).toEqual([])
    await publish(1)
    expect(await consume('a', 1)).toEqual(['4'])
  })

  it('gives a group that comes later all that is kept, and not what is gone', async () => {
    await declare(['g'], { bytesMax: 3_500 })
    await publish(6)
    await consume('g', 6)
    const left = await kept()
    expect(left).toEqual(ids(3, 6))
    await engine.declare({ channels: [], groups: [{ channel: 'log', group: 'late', from: 'earliest' }] })
    await reopen()
    expect(await consume('late', 3)).toEqual(left)
  })

  it('removes more than one transaction may, in as many as it takes', async () => {
    await declare(['g'], { forMs: day })
    await publish(600)
    await consume('g', 600)
    clock.jump(2 * day)
    // One look at the time, and what follows from it.
    await clock.advance(60_000)
    await quiet()
    await quiet()
    expect(await kept()).toEqual([])
  })
})
