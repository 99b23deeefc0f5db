import assert from 'node:assert/strict'
import type { OutgoingRecord, Preparing } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { CaseContext } from '../context.ts'
import { expectRefused, expectRejection, expectSame } from '../expect.ts'

/** The ability of the engine as it is now. */
export function preparingOf(context: CaseContext): Preparing {
  const { preparing } = context.engine
  assert.ok(preparing, 'the case needs preparing')
  return preparing
}

/** Prepares and expects it to work. */
export async function prepare(
  context: CaseContext,
  record: OutgoingRecord,
  checkInMs = 60_000,
): Promise<OutgoingRecord> {
  const outcome = await preparingOf(context).prepare(record, context.nowMs() + checkInMs)
  if (!outcome.ok) throw outcome.error
  return record
}

/** What a prepared record is called. */
export const nameOf = ({ channel, id }: OutgoingRecord) => ({ channel, id })

/** Decides about records and gives the outcomes as they are. */
export async function resolve(context: CaseContext, how: 'commit' | 'rollback', ...records: readonly OutgoingRecord[]) {
  const outcomes = await preparingOf(context)[how](records.map(nameOf))
  assert.equal(outcomes.length, records.length, 'an outcome for each name')
  return outcomes
}

/** Decides about records and expects it to work. */
export async function resolved(
  context: CaseContext,
  how: 'commit' | 'rollback',
  ...records: readonly OutgoingRecord[]
) {
  for (const outcome of await resolve(context, how, ...records)) if (!outcome.ok) throw outcome.error
}

/** What waits in a channel, those to be asked about first at the front. */
export async function idsPrepared(
  context: CaseContext,
  channel: { readonly name: string },
): Promise<readonly string[]> {
  return (await preparingOf(context).prepared(channel.name, 10_000)).map(({ record }) => record.id)
}

/** Records that stand outside of their channel until somebody decides. */
export const preparing: readonly ConformanceCase[] = [
  {
    id: 'prepare/commit',
    title: 'a prepared record is seen by nobody until it is committed, and then is one like all others, unchanged',
    needs: ['preparing'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      const body = Uint8Array.from({ length: 256 }, (_, at) => at)
      const record = channel.record({ key: 'ключ', body, headers: { type: 'a.b', subject: 'Grüße 🚚' } })
      await prepare(context, record)
      const [plain] = await channel.publish(channel.record({ key: 'ключ' }))
      assert.ok(plain)
      expectSame([await member.next()], [plain])
      await context.lull()
      assert.deepEqual(member.waiting, [])
      if (context.engine.browsing !== undefined) {
        const stored = await channel.browseAll()
        assert.ok(stored.every(({ record: { id } }) => id !== record.id))
      }
      const [found] = await preparingOf(context).prepared(channel.name, 10)
      assert.ok(found)
      expectSame([{ ...found, tag: 0, attempt: 1, storedAtMs: 0, position: '' }], [record])
      assert.equal(found.checks, 0)
      await resolved(context, 'commit', record)
      const received = await member.next()
      expectSame([received], [record])
      assert.equal(received.attempt, 1)
      assert.deepEqual(await idsPrepared(context, channel), [])
    },
  },
  {
    id: 'prepare/rollback',
    title: 'a prepared record that is rolled back is gone, and was never there',
    needs: ['preparing'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      const record = await prepare(context, channel.record())
      await resolved(context, 'rollback', record)
      await context.lull()
      assert.deepEqual(member.received, [])
      assert.deepEqual(await idsPrepared(context, channel), [])
    },
  },
  {
    id: 'prepare/first-decision',
    title: 'the first decision counts: whatever comes after it is NOT_FOUND, at the same time too',
    needs: ['preparing'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 100 })
      const records = channel.records(20)
      for (const record of records) await prepare(context, record)
      const races = records.map(async (record, at) => {
        const order = at % 2 === 0 ? (['commit', 'rollback'] as const) : (['rollback', 'commit'] as const)
        const outcomes = (await Promise.all(order.map((how) => resolve(context, how, record)))).flat()
        assert.equal(outcomes.filter(({ ok }) => ok).length, 1, 'one of the two decides')
        expectRefused(
          outcomes.find(({ ok }) => !ok),
          'NOT_FOUND',
        )
        return outcomes[order.indexOf('commit')]?.ok ? record.id : undefined
      })
      const committed = (await Promise.all(races)).filter((id) => id !== undefined)
      for (const how of ['commit', 'rollback'] as const) {
        for (const outcome of await resolve(context, how, ...records)) expectRefused(outcome, 'NOT_FOUND')
      }
      const received = await member.take(committed.length)
      assert.deepEqual(received.map(({ record }) => record.id).sort(), [...committed].sort())
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'prepare/names',
    title: 'one waits under a name at a time: the next is CONFLICT until the first is resolved; channels are apart',
    needs: ['preparing'],
    async run(context) {
      const [one, other] = [await context.channel(), await context.channel()]
      const id = context.unique('same')
      const first = await prepare(context, one.record({ id }))
      const elsewhere = await prepare(context, other.record({ id }))
      const again = await preparingOf(context).prepare(one.record({ id, body: Uint8Array.of(2) }), context.nowMs())
      expectRefused(again, 'CONFLICT')
      await resolved(context, 'commit', first)
      const second = await prepare(context, one.record({ id, body: Uint8Array.of(3) }))
      await resolved(context, 'commit', second)
      await resolved(context, 'rollback', elsewhere)
      const member = await one.join('g', { credit: 10 })
      expectSame(await member.take(2), [first, second])
    },
  },
  {
    id: 'prepare/outcomes',
    title: 'a batch is answered name by name: what is unknown does not harm its neighbours',
    needs: ['preparing'],
    async run(context) {
      const channel = await context.channel()
      const [a, unknown, b] = channel.records(3)
      assert.ok(a && unknown && b)
      await prepare(context, a)
      await prepare(context, b)
      const nowhere = { ...unknown, channel: context.unique('nowhere') }
      for (const how of ['commit', 'rollback'] as const) {
        assert.deepEqual(await resolve(context, how), [])
      }
      const outcomes = await resolve(context, 'commit', a, unknown, nowhere, b, a)
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, false, false, true, false],
      )
      for (const at of [1, 2, 4]) expectRefused(outcomes[at], 'NOT_FOUND')
      const member = await channel.join('g', { credit: 10 })
      expectSame(await member.take(2), [a, b])
    },
  },
  {
    id: 'prepare/delayed',
    title: 'one with a due time is scheduled by its commit, or comes at once where the time has passed',
    needs: ['preparing', 'delay'],
    async run(context) {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      const soonMs = context.nowMs() + context.delayMs
      const laterMs = soonMs + 4 * context.delayMs
      const soon = await prepare(context, channel.record({ key: 'k', dueAtMs: soonMs }))
      const later = await prepare(context, channel.record({ key: 'k', dueAtMs: laterMs }))
      await context.reach(soonMs)
      await context.lull()
      assert.deepEqual(member.received, [], 'a due time alone publishes nothing')
      await resolved(context, 'commit', soon, later)
      expectSame([await member.next()], [soon])
      if (context.engine.scheduling !== undefined) {
        assert.equal(await context.engine.scheduling.dueAt(channel.name, later.id), laterMs)
      }
      await context.reach(laterMs)
      const received = await member.next()
      expectSame([received], [later])
      assert.ok(received.receivedAtMs >= laterMs)
    },
  },
  {
    id: 'prepare/key-order',
    title: 'it takes its place in the order of its key when it is committed',
    needs: ['preparing', 'keyOrder'],
    async run(context) {
      const channel = await context.channel()
      const [first, second] = [channel.record({ key: 'k' }), channel.record({ key: 'k' })]
      await prepare(context, first)
      await prepare(context, second)
      const [plain] = await channel.publish(channel.record({ key: 'k' }))
      assert.ok(plain)
      await resolved(context, 'commit', second, first)
      const [last] = await channel.publish(channel.record({ key: 'k' }))
      assert.ok(last)
      const member = await channel.join('g', { credit: 10 })
      expectSame(await member.take(4), [plain, second, first, last])
    },
  },
  {
    id: 'prepare/checks',
    title: 'those to be asked about first stand in front, a postponed one by its new time with its checks counted',
    needs: ['preparing'],
    async run(context) {
      const channel = await context.channel()
      const prepared = preparingOf(context)
      const startMs = context.nowMs()
      const [a, b, c] = channel.records(3)
      assert.ok(a && b && c)
      for (const [record, inMs] of [
        [a, 3_000],
        [b, 1_000],
        [c, 2_000],
      ] as const) {
        assert.deepEqual(await prepared.prepare(record, startMs + inMs), { ok: true })
      }
      assert.deepEqual(await idsPrepared(context, channel), [b.id, c.id, a.id])
      await prepared.postpone(nameOf(b), startMs + 9_000)
      await prepared.postpone(nameOf(c), Number.POSITIVE_INFINITY)
      await prepared.postpone(nameOf(b), startMs + 2_500)
      const found = await prepared.prepared(channel.name, 10)
      assert.deepEqual(
        found.map(({ record, checks, checkAtMs }) => [record.id, checks, checkAtMs]),
        [
          [b.id, 2, startMs + 2_500],
          [a.id, 0, startMs + 3_000],
          [c.id, 1, Number.POSITIVE_INFINITY],
        ],
      )
      assert.ok(found.every(({ preparedAtMs }) => preparedAtMs >= startMs && preparedAtMs <= context.nowMs()))
      assert.equal((await prepared.prepared(channel.name, 2)).length, 2)
      expectRefused(await prepared.postpone(nameOf(channel.record()), startMs), 'NOT_FOUND')
    },
  },
  {
    id: 'prepare/deduplicated',
    title: 'a commit publishes as publish would: an id that is known by then is not stored again',
    needs: ['preparing', 'deduplication'],
    async run(context) {
      const deduplicateForMs = Math.min(3_600_000, context.capabilities.deduplicateForMsMax)
      const channel = await context.channel({ deduplicateForMs })
      const record = await prepare(context, channel.record())
      const plain = { ...record, body: Uint8Array.of(2) }
      await channel.publish(plain)
      await resolved(context, 'commit', record)
      const member = await channel.join('g', { credit: 10 })
      expectSame([await member.next()], [plain])
      await context.lull()
      assert.deepEqual(member.waiting, [])
      const other = await prepare(context, channel.record())
      await resolved(context, 'rollback', other)
      await channel.publish(other)
      expectSame([await member.next()], [other])
    },
  },
  {
    id: 'prepare/refused',
    title: 'what could not be published cannot be prepared, and bad arguments are refused',
    needs: ['preparing'],
    async run(context) {
      const channel = await context.channel()
      const prepared = preparingOf(context)
      const nowhere = context.unique('nowhere')
      expectRefused(await prepared.prepare({ ...channel.record(), channel: nowhere }, 0), 'NOT_FOUND')
      expectRefused(await prepared.prepare(channel.record({ key: 'k'.repeat(1_025) }), 0), 'INVALID_ARGUMENT')
      const limit = context.capabilities.bodyBytesMax
      if (limit < 64 * 1_048_576) {
        const large = channel.record({ body: new Uint8Array(limit + 1) })
        expectRefused(await prepared.prepare(large, 0), 'BODY_TOO_LARGE')
      }
      await expectRejection(() => prepared.prepared(nowhere, 10), 'NOT_FOUND')
      for (const each of [0, 10_001, 1.5]) {
        await expectRejection(() => prepared.prepared(channel.name, each), 'INVALID_ARGUMENT')
      }
      assert.deepEqual(await prepared.prepared(channel.name, 10_000), [])
    },
  },
]
