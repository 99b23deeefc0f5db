import type { Engine, OutgoingRecord } from '@posthaste/contracts'
import { type ManualClock, manualClock, silentLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { EmbeddedEngine } from './engine.ts'

const second = 1_000
const year = 365 * 86_400 * second

let directories: Directories
let dir: string
let clock: ManualClock
let engine: Engine

beforeEach(async () => {
  directories = new Directories()
  dir = directories.fresh()
  clock = manualClock()
  engine = await opened()
  await engine.declare({
    channels: [
      { name: 'queue', kind: 'queue', keyed: false },
      { name: 'other', kind: 'queue', keyed: false },
    ],
    groups: [{ channel: 'queue', group: 'g', from: 'earliest' }],
  })
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

/** Closes and opens, as one does. */
async function reopen(): Promise<void> {
  await engine.close()
  engine = await opened()
}

/** Opens what a process that is killed now leaves behind. */
async function crash(): Promise<void> {
  const next = directories.fresh()
  await copyAsKilled(dir, next)
  await engine.close()
  dir = next
  engine = await opened()
}

function scheduled(id: string, inMs: number, wish: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { id, channel: 'queue', headers: {}, body: Buffer.from(id), dueAtMs: clock.nowMs() + inMs, ...wish }
}

async function publish(...records: OutgoingRecord[]): Promise<void> {
  expect(await engine.publish(records)).toEqual(records.map(() => ({ ok: true })))
}

/** Moves the clock, and lets the transactions be written that this starts. */
async function advance(ms: number): Promise<void> {
  await clock.advance(ms)
  for (let i = 0; i < 3; i++) await engine.publish([])
  await clock.advance(0)
}

async function standing(channel = 'queue'): Promise<string[]> {
  const page = await engine.browsing?.browse({ channel, limit: 10_000 })
  return page?.records.map(({ record }) => record.id) ?? []
}

const cancel = (id: string, channel = 'queue') => engine.scheduling?.cancel(channel, id)
const waiting = async () => (await engine.lag?.lag('queue', 'g'))?.waiting

describe.each([
  ['within one process', async () => {}],
  ['after a restart', reopen],
  ['after a crash', crash],
])('scheduled records, %s,', (_, between) => {
  it('join their channels when they are due, in order of their times and then of their publishing', async () => {
    await publish(scheduled('c', 30 * second), scheduled('a', 10 * second), scheduled('b1', 20 * second))
    await publish(scheduled('b2', 20 * second), scheduled('o', 15 * second, { channel: 'other' }))
    await between()
    expect([await standing(), await waiting()]).toEqual([[], 4])
    await advance(9_999)
    expect(await standing()).toEqual([])
    await advance(1)
    expect(await standing()).toEqual(['a'])
    await advance(60 * second)
    expect([await standing(), await standing('other')]).toEqual([['a', 'b1', 'b2', 'c'], ['o']])
    expect(await waiting()).toBe(0)
  })

  it('stand in their channel once, however often the process comes back', async () => {
    await publish(scheduled('r', second))
    await advance(second)
    await between()
    await advance(0)
    await between()
    await advance(60 * second)
    expect(await standing()).toEqual(['r'])
  })

  it('come at once if they fell due while nobody was there', async () => {
    await publish(scheduled('late', second), scheduled('later', 2 * second))
    await between()
    clock.jump(10 * second)
    await advance(60 * second)
    expect(await standing()).toEqual(['late', 'later'])
  })

  it('keep all they carry', async () => {
    const record = scheduled('all', second, {
      key: 'k',
      headers: { type: 'queue', subject: '漢字' },
      expiresAtMs: clock.nowMs() + year,
      body: Buffer.from([0, 255]),
    })
    await publish(record)
    await between()
    await advance(second)
    const page = await engine.browsing?.browse({ channel: 'queue', limit: 1 })
    expect(page?.records[0]?.record).toMatchObject({ ...record, body: expect.anything() })
    expect([...(page?.records[0]?.record.body ?? [])]).toEqual([0, 255])
  })

  it('that were cancelled never come, and are cancelled once', async () => {
    await publish(scheduled('no', second), scheduled('yes', second), scheduled('no', 2 * second))
    expect(await cancel('no')).toBe(true)
    await between()
    expect(await cancel('no')).toBe(false)
    expect(await waiting()).toBe(1)
    await advance(60 * second)
    expect(await standing()).toEqual(['yes'])
  })

  it('are not cancelled by a part of their id, by another channel, or when they have come', async () => {
    await publish(scheduled('id', second))
    await between()
    expect(await cancel('i')).toBe(false)
    expect(await cancel('id2')).toBe(false)
    expect(await cancel('id', 'other')).toBe(false)
    expect(await cancel('id', 'nowhere')).toBe(false)
    await advance(second)
    expect(await cancel('id')).toBe(false)
    expect(await standing()).toEqual(['id'])
  })
})

describe('a cancellation', () => {
  it('takes back what is on its way into the store', async () => {
    const publishing = engine.publish([scheduled('r', second)])
    const cancelling = cancel('r')
    expect(await publishing).toEqual([{ ok: true }])
    expect(await cancelling).toBe(true)
    await advance(60 * second)
    expect(await standing()).toEqual([])
  })

  it('of what is moving just now comes too late and says so, or in time and it never comes', async () => {
    for (let round = 0; round < 20; round++) {
      const id = `r${round}`
      await publish(scheduled(id, second))
      const moving = clock.advance(second)
      for (let turn = 0; turn < round % 5; turn++) await new Promise((resolve) => void setImmediate(resolve))
      const wasCancelled = await cancel(id)
      await moving
      await advance(0)
      expect((await standing()).includes(id)).toBe(!wasCancelled)
    }
  })

  it('by two at once is granted to one', async () => {
    await publish(scheduled('r', second))
    expect((await Promise.all([cancel('r'), cancel('r')])).sort()).toEqual([false, true])
  })

  it('leaves what is published under the same id afterwards', async () => {
    await publish(scheduled('r', second))
    const cancelling = cancel('r')
    const publishing = publish(scheduled('r', 2 * second))
    expect(await cancelling).toBe(true)
    await publishing
    await advance(60 * second)
    expect(await standing()).toEqual(['r'])
  })
})

describe('a schedule', () => {
  it('may be for any time, and is not looked at more often than once a minute', async () => {
    await publish(scheduled('far', 5 * year))
    expect(clock.pending()).toBeGreaterThan(0)
    clock.jump(5 * year)
    await advance(60 * second)
    expect(await standing()).toEqual(['far'])
  })

  it('of more records than one transaction moves is kept whole and in order', async () => {
    const records = Array.from({ length: 2_500 }, (_, index) => scheduled(`${index}`, second))
    await publish(...records)
    await clock.advance(second)
    while ((await waiting()) !== 0) await engine.publish([])
    expect(await standing()).toEqual(records.map(({ id }) => id))
  })
})
