import { type BrowsedRecord, type Browsing, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { errorOf, recordOf, scriptedRig } from '../../../test/bus/rig.ts'
import { browsingOf, pageOf, scan } from './scanning.ts'

/** A channel of numbered records whose engine answers with pages as short as it likes, empty ones included. */
function ragged(count: number, lengths: readonly number[]): Browsing {
  const all: BrowsedRecord[] = Array.from({ length: count }, (_, at) => {
    return { position: String(at).padStart(6, '0'), storedAtMs: at, record: recordOf({ id: `m${at}` }) }
  })
  let calls = 0
  return {
    async browse({ after, limit }) {
      const from = after === undefined ? 0 : Math.ceil(Number(after) + 0.5)
      const length = Math.min(limit, lengths[calls++ % lengths.length]!)
      const records = all.slice(from, from + length)
      // An empty page goes on where it began: at the start, before the first record.
      const looked = records.at(-1)?.position ?? after ?? '-0.5'
      return { records, next: from + length < count ? looked : undefined }
    },
    async move() {
      return []
    },
  }
}

/** Everything that scanning comes to, page by page. */
async function collect(browsing: Browsing, limit: number, accepts?: (found: BrowsedRecord) => boolean) {
  const ids: string[] = []
  let after: string | undefined
  let pages = 0
  do {
    const page = await scan(browsing, { channel: 'c', limit, after }, accepts)
    expect(page.records.length).toBeLessThanOrEqual(limit)
    ids.push(...page.records.map(({ record }) => record.id))
    after = page.next
  } while (after !== undefined && ++pages < 10_000)
  return ids
}

describe('scanning', () => {
  it('finds every record once and in order, however short the pages of the engine and those asked for', async () => {
    const lengths = fc
      .array(fc.nat({ max: 4 }), { minLength: 1, maxLength: 6 })
      .filter((given) => given.some((n) => n > 0))
    await fc.assert(
      fc.asyncProperty(fc.nat({ max: 60 }), lengths, fc.integer({ min: 1, max: 20 }), async (count, pages, limit) => {
        const expected = Array.from({ length: count }, (_, at) => `m${at}`)
        expect(await collect(ragged(count, pages), limit)).toEqual(expected)
        const isThird = ({ storedAtMs }: BrowsedRecord): boolean => storedAtMs % 3 === 0
        const thirds = expected.filter((_, at) => at % 3 === 0)
        expect(await collect(ragged(count, pages), limit, isThird)).toEqual(thirds)
      }),
    )
  })

  it('asks the engine for no more than is wanted, unless it chooses itself', async () => {
    const asked: number[] = []
    const browsing: Browsing = {
      browse: async ({ limit }) => {
        asked.push(limit)
        return { records: [], next: undefined }
      },
      move: async () => [],
    }
    await scan(browsing, { channel: 'c', limit: 7 }, undefined)
    await scan(browsing, { channel: 'c', limit: 7 }, () => true)
    expect(asked).toEqual([7, 500])
  })

  it('of a channel that nobody has declared finds nothing; any other failure is passed on', async () => {
    const failing = (code: 'NOT_FOUND' | 'UNAVAILABLE'): Browsing => ({
      browse: () => Promise.reject(new PosthasteError(code, 'no')),
      move: async () => [],
    })
    expect(await pageOf(failing('NOT_FOUND'), { channel: 'c', limit: 1 })).toEqual({ records: [], next: undefined })
    const error = await errorOf(pageOf(failing('UNAVAILABLE'), { channel: 'c', limit: 1 }))
    expect(error).toMatchObject({ code: 'UNAVAILABLE' })
  })

  it('needs an engine that can look into channels', () => {
    const { engine } = scriptedRig()
    expect(() => browsingOf(engine)).toThrow(expect.objectContaining({ code: 'CAPABILITY_UNSUPPORTED' }))
  })
})
