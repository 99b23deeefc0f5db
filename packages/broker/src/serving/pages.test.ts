import type { BrowsedRecord, BrowseQuery, OutgoingRecord, PreparedRecord } from '@posthaste/contracts'
import type { PreparedPlace } from '@posthaste/embedded'
import { describe, expect, it } from 'vitest'
import { record } from '../../test/rig.ts'
import { configOf } from '../config/config-of.ts'
import { browsePage, preparedPage, type Reading } from './pages.ts'

const mib = 1024 * 1024
const config = configOf(JSON.stringify({ dataDir: 'data' }), {})

/** Reads from records in their order, and keeps how much it was asked for. @param lookedAtMax as in an engine that stops looking */
function reading(records: readonly OutgoingRecord[], lookedAtMax = Number.POSITIVE_INFINITY) {
  const asked: number[] = []
  const found = records.map((each, at): BrowsedRecord => ({ position: `${at}`, storedAtMs: at, record: each }))
  const prepared = records.map((each): PreparedRecord => ({ record: each, preparedAtMs: 0, checkAtMs: 0, checks: 0 }))
  const browse = async ({ after = '-1', limit }: BrowseQuery) => {
    asked.push(limit)
    const from = Number(after) + 1
    const page = found.slice(from, from + Math.min(limit, lookedAtMax))
    const isEnd = from + page.length >= found.length
    return { records: page, next: isEnd ? undefined : page.at(-1)!.position }
  }
  const engine: Reading['engine'] = {
    browsing: { browse, move: async () => [] },
    preparing: {
      async prepared(_, limit, after) {
        asked.push(limit)
        const from = after === undefined ? 0 : prepared.findIndex(({ record: { id } }) => id === after.id) + 1
        return prepared.slice(from, from + limit)
      },
    },
  }
  return { engine, config, asked }
}

const bodies = (count: number, bytes: number) => {
  const body = new Uint8Array(bytes)
  return Array.from({ length: count }, (_, at) => record(`${at}`, { body }))
}

describe('a page', () => {
  it('ends with the record that makes it large enough, and the next one goes on behind it', async () => {
    const on = reading(bodies(10, 1.5 * mib))
    const sizes: number[] = []
    let after: string | undefined
    do {
      const { records, next } = await browsePage({ channel: 'c', limit: 10_000, after }, on)
      sizes.push(records.length)
      after = next
    } while (after !== undefined)
    expect(sizes).toEqual([3, 3, 3, 1])
    // A few at a time, so that not more of the largest are in memory than that.
    expect(Math.max(...on.asked) * config.limits.bodyBytesMax).toBeLessThanOrEqual(128 * mib)
  })

  it('is as long as was asked for where records are small', async () => {
    const on = reading(bodies(100, 1))
    const { records, next } = await browsePage({ channel: 'c', limit: 50 }, on)
    expect([records.map(({ position }) => Number(position)), next]).toEqual([
      Array.from({ length: 50 }, (_, at) => at),
      '49',
    ])
    expect((await browsePage({ channel: 'c', limit: 50, after: next }, on)).next).toBeUndefined()
  })

  it('counts headers as well', async () => {
    const headers = { a: 'x'.repeat(1_024 * 1_024) }
    const records = bodies(10, 0).map((each) => ({ ...each, headers }))
    expect((await browsePage({ channel: 'c', limit: 10 }, reading(records))).records).toHaveLength(4)
  })

  it('is short where the engine has looked long enough', async () => {
    const on = reading(bodies(100, 1), 3)
    expect(await browsePage({ channel: 'c', limit: 50 }, on)).toMatchObject({ next: '2' })
    expect(on.asked).toHaveLength(1)
  })

  it('keeps nothing of what its records were read with', async () => {
    const large = new Uint8Array(mib)
    const on = reading([record('1', { body: large.subarray(0, 10) })])
    const { records } = await browsePage({ channel: 'c', limit: 1 }, on)
    expect(records[0]!.record.body.buffer.byteLength).toBe(10)
  })

  it('of no length, or of too many, is refused', async () => {
    for (const limit of [0, -1, 1.5, 10_001, Number.NaN]) {
      const refused = { code: 'INVALID_ARGUMENT' }
      await expect(browsePage({ channel: 'c', limit }, reading([]))).rejects.toMatchObject(refused)
      await expect(preparedPage({ channel: 'c', limit }, reading([]))).rejects.toMatchObject(refused)
    }
  })
})

describe('prepared records', () => {
  it('are told until it is enough, and the next page goes on behind them', async () => {
    const on = reading(bodies(7, 1.5 * mib))
    const ids: string[][] = []
    for (let after: PreparedPlace | undefined; ; ) {
      const { records, isAll } = await preparedPage({ channel: 'c', limit: 10_000, after }, on)
      ids.push(records.map(({ record: { id } }) => id))
      if (isAll) break
      after = { id: ids.at(-1)!.at(-1)!, checkAtMs: 0 }
    }
    expect(ids).toEqual([['0', '1', '2'], ['3', '4', '5'], ['6']])
    expect(Math.max(...on.asked) * config.limits.bodyBytesMax).toBeLessThanOrEqual(128 * mib)
  })

  it('are told all where they are small, each read once', async () => {
    const on = reading(bodies(5_000, 10))
    const page = await preparedPage({ channel: 'c', limit: 10_000 }, on)
    expect([page.records.length, page.isAll]).toEqual([5_000, true])
    expect(on.asked).toHaveLength(Math.floor(5_000 / 16) + 1)
    expect((await preparedPage({ channel: 'c', limit: 20 }, on)).records).toHaveLength(20)
  })

  it('are all that were asked for where the last of them makes the page large enough', async () => {
    const on = reading(bodies(5, 1.5 * mib))
    expect(await preparedPage({ channel: 'c', limit: 3 }, on)).toMatchObject({ isAll: true })
  })
})
