import assert from 'node:assert/strict'
import type { OutgoingRecord, RecordMatch } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectSame } from '../expect.ts'

/** Everything that matches, over all pages, and how many pages that took. */
async function find(channel: TestChannel, match: RecordMatch, limit = 1_000) {
  const records: OutgoingRecord[] = []
  let after: string | undefined
  let pages = 0
  do {
    const page = await channel.browsing.browse({ channel: channel.name, after, limit, match })
    assert.ok(page.records.length <= limit, 'a page has at most as many as asked for')
    records.push(...page.records.map(({ record }) => record))
    after = page.next
    pages += 1
  } while (after !== undefined)
  return { ids: records.map(({ id }) => id), records, pages }
}

const idsOf = (records: readonly OutgoingRecord[]) => records.map(({ id }) => id)

/** Exactly these match, in the order of the channel: that of each key, where the channel has key ranges. */
async function expectFound(
  { context, channel }: Place,
  query: { readonly match: RecordMatch; readonly limit?: number },
  wanted: readonly OutgoingRecord[],
) {
  const { match, limit } = query
  const found = await find(channel, match, limit)
  if (!context.hasRanges(channel.spec)) assert.deepEqual(found.ids, idsOf(wanted), JSON.stringify(match))
  assert.deepEqual([...found.ids].sort(), idsOf(wanted).sort(), JSON.stringify(match))
  for (const key of new Set(wanted.flatMap((record) => record.key ?? []))) {
    const ofKey = (records: readonly OutgoingRecord[]) => idsOf(records.filter((record) => record.key === key))
    assert.deepEqual(ofKey(found.records), ofKey(wanted), JSON.stringify(match))
  }
  return found
}

/** What is looked into. */
interface Place {
  readonly context: CaseContext
  readonly channel: TestChannel
}

/** Finding records. */
export const browsingMatch: readonly ConformanceCase[] = [
  {
    id: 'match/fields',
    title: 'records are found by id, key and correlation, every character of them, and by all of it together',
    needs: ['browsing'],
    async run(context) {
      const channel = await context.channel({ kind: 'queue', groups: [] })
      const keys = ['k', 'K', 'ключ-鍵-🔑', undefined]
      const correlations = ['order-1', 'Order-1', undefined]
      const sent = await channel.publish(
        ...channel.records(60, (at) => {
          const correlationid = correlations[at % 3]
          return { key: keys[at % 4], headers: correlationid === undefined ? {} : { correlationid } }
        }),
      )
      const expect = (match: RecordMatch, wanted: readonly OutgoingRecord[]) =>
        expectFound({ context, channel }, { match }, wanted)
      await expect({}, sent)
      for (const record of sent.slice(0, 5)) await expect({ id: record.id }, [record])
      for (const key of ['k', 'K', 'ключ-鍵-🔑']) {
        const expected = sent.filter((record) => record.key === key)
        await expect({ key }, expected)
        for (const correlationId of ['order-1', 'Order-1']) {
          const both = expected.filter(({ headers }) => headers.correlationid === correlationId)
          const found = await expect({ key, correlationId }, both)
          const deliveries = found.records.map((record) => ({
            record,
            tag: 0,
            attempt: 1,
            storedAtMs: 0,
            position: '',
          }))
          expectSame(deliveries, both)
        }
      }
      const [first, second] = sent
      assert.ok(first && second)
      for (const match of [{ id: first.id, key: 'K' }, { id: 'nothing' }, { key: '' }, { correlationId: 'order' }]) {
        await expect(match, [])
      }
    },
  },
  {
    id: 'match/time',
    title: 'records are found by the time they were stored: from one on, before another',
    needs: ['browsing'],
    async run(context) {
      const channel = await context.channel({ kind: 'queue', groups: [] })
      const sent: OutgoingRecord[] = []
      for (let round = 0; round < 3; round += 1) {
        sent.push(...(await channel.publish(...channel.records(2))))
        await context.reach(context.nowMs() + context.delayMs)
      }
      const times = (await channel.browseAll()).map(({ storedAtMs }) => storedAtMs)
      const sinceMs = times[2] ?? 0
      const untilMs = times[4] ?? 0
      assert.ok(sinceMs < untilMs)
      const expect = (match: RecordMatch, wanted: readonly OutgoingRecord[]) =>
        expectFound({ context, channel }, { match }, wanted)
      await expect({ sinceMs }, sent.slice(2))
      await expect({ untilMs }, sent.slice(0, 4))
      await expect({ sinceMs, untilMs }, sent.slice(2, 4))
      await expect({ sinceMs: untilMs, untilMs: sinceMs }, [])
      await expect({ sinceMs: context.nowMs() + 1 }, [])
    },
  },
  {
    id: 'match/needle',
    title: 'a needle in a backlog is found over pages that may be short or empty, whatever their limit',
    needs: ['browsing'],
    async run(context) {
      const channel = await context.channel({ kind: 'queue', groups: ['g'] })
      const count = context.scaled(3_000)
      const each = Math.ceil(count / 3)
      const sent = channel.records(count, (at) => ({ key: at % each === each - 1 ? 'needle' : 'hay' }))
      for (let at = 0; at < count; at += 500) await channel.publish(...sent.slice(at, at + 500))
      const needles = sent.filter(({ key }) => key === 'needle')
      for (const limit of [1, 2, 10_000]) {
        const { ids, pages } = await find(channel, { key: 'needle' }, limit)
        assert.deepEqual(ids, idsOf(needles))
        assert.ok(pages <= count, 'each page gets further')
      }
      await context.restart()
      await channel.declare(['g'])
      assert.deepEqual((await find(channel, { key: 'needle' }, 1)).ids, idsOf(needles))
      const last = sent.at(-1)
      assert.ok(last)
      assert.deepEqual((await find(channel, { id: last.id }, 1)).ids, [last.id])
    },
  },
  {
    id: 'match/log',
    title: 'a log is looked into in the same way, without disturbing who reads it',
    needs: ['browsing', 'history'],
    async run(context) {
      const channel = await context.channel({ retention: { forMs: 86_400_000 } })
      const sent = await channel.publish(...channel.records(20, (at) => ({ key: `k${at % 2}` })))
      const member = await channel.join('g', { credit: 5 })
      const received = await member.take(5)
      await member.ackAll(received)
      assert.deepEqual((await find(channel, { key: 'k1' })).ids, idsOf(sent.filter(({ key }) => key === 'k1')))
      member.grant(100)
      assert.equal((await member.take(15)).length, 15)
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
]
