import assert from 'node:assert/strict'
import type { OutgoingRecord } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectRefused, expectSame, expectSameSet } from '../expect.ts'

/** Limits above this are believed: a case that fills them would test the machine. */
const testableBytesMax = 64 * 1_048_576

const mebibyte = 1_048_576

/** Bytes without a pattern that compression or text decoding would leave intact by chance. */
function noise(length: number): Uint8Array {
  const bytes = new Uint8Array(length)
  let state = 0x9e3779b9
  for (let at = 0; at < length; at += 1) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0
    bytes[at] = state >>> 24
  }
  return bytes
}

async function roundTrip(context: CaseContext, channel: TestChannel, sent: readonly OutgoingRecord[]): Promise<void> {
  const member = await channel.join('g', { credit: sent.length })
  await channel.publish(...sent)
  expectSameSet(await member.take(sent.length), sent)
  await member.stop()
  await context.restart()
  await channel.declare(['g'])
  const again = await channel.join('g', { credit: sent.length })
  expectSameSet(await again.take(sent.length), sent)
}

/** Records arrive as they were sent: sizes, bytes, headers, keys, names. */
export const fidelity: readonly ConformanceCase[] = [
  {
    id: 'fidelity/body-sizes',
    title: 'bodies of every size arrive byte for byte, up to the limit and not beyond',
    async run(context) {
      const channel = await context.channel()
      const limit = context.capabilities.bodyBytesMax
      const sizes = [0, 1, 255, 65_536, mebibyte, limit].filter((size) => size <= Math.min(limit, testableBytesMax))
      const sent = sizes.map((size) => channel.record({ body: noise(size) }))
      const member = await channel.join('g', { credit: 100 })
      for (const record of sent) await channel.publish(record)
      expectSameSet(await member.take(sent.length), sent)
      if (limit >= testableBytesMax) return
      const [before, over, after] = [channel.record(), channel.record({ body: noise(limit + 1) }), channel.record()]
      const outcomes = await channel.tryPublish(before, over, after)
      expectRefused(outcomes[1], 'BODY_TOO_LARGE')
      expectSameSet(await member.take(2), [before, after])
    },
  },
  {
    id: 'fidelity/binary',
    title: 'bodies are bytes, not text: every value, invalid UTF-8, and views into larger buffers',
    async run(context) {
      const channel = await context.channel()
      const all = Uint8Array.from({ length: 256 }, (_, at) => at)
      const bodies = [
        all,
        Uint8Array.of(0),
        Uint8Array.of(0xff, 0xfe, 0xc0, 0x80),
        all.subarray(100, 130),
        noise(5_000),
      ]
      await roundTrip(
        context,
        channel,
        bodies.map((body) => channel.record({ body })),
      )
    },
  },
  {
    id: 'fidelity/headers',
    title: 'headers arrive as they were sent: unicode, quotes and line breaks, empty, long and many',
    async run(context) {
      const channel = await context.channel()
      const many = Object.fromEntries(Array.from({ length: 200 }, (_, at) => [`h${at}`, String(at)]))
      const headers = [
        { type: 'a.b', source: '/x', subject: 'Grüße, 世界 🚚' },
        { type: 'a.b', source: '/x', empty: '', blank: '  ' },
        { type: 'a.b', source: '/x', text: 'a "quoted" %41 \\ value\r\nwith\tbreaks; a=b, c' },
        { type: 'a.b', source: '/x', constructor: 'a legal name', length: '3', valueof: '' },
        { type: 'a.b', source: '/x', long: 'ä'.repeat(4_000) },
        many,
        {},
      ]
      await roundTrip(
        context,
        channel,
        headers.map((each) => channel.record({ headers: each })),
      )
    },
  },
  {
    id: 'fidelity/header-limit',
    title: 'headers may fill their limit and not exceed it',
    async run(context) {
      const channel = await context.channel()
      const limit = context.capabilities.headerBytesMax
      if (limit > testableBytesMax) return
      const filled = (bytes: number) => ({ a: 'x'.repeat(bytes - 1) })
      const fits = channel.record({ headers: filled(limit) })
      const outcomes = await channel.tryPublish(fits, channel.record({ headers: filled(limit + 1) }))
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [true, false],
      )
      const member = await channel.join('g', { credit: 10 })
      expectSame([await member.next()], [fits])
    },
  },
  {
    id: 'fidelity/header-case',
    title: 'headers keep their case, similar names stay apart, and their order means nothing',
    async run(context) {
      const channel = await context.channel()
      const pairs: readonly (readonly [string, string])[] = [
        ['type', 'Order.CREATED'],
        ['source', '/Shop/EU'],
        ['subject', 'aBcDeF'],
        ['a', 'A'],
        ['aa', 'a'],
        ['a1', 'Aa'],
        ['10', 'ten'],
        ['9', 'nine'],
      ]
      await roundTrip(context, channel, [
        channel.record({ headers: Object.fromEntries(pairs) }),
        channel.record({ headers: Object.fromEntries([...pairs].reverse()) }),
        channel.record({ headers: Object.fromEntries(pairs.map(([name, value]) => [name, value.toLowerCase()])) }),
        channel.record({ headers: Object.fromEntries(pairs.map(([name, value]) => [name, value.toUpperCase()])) }),
      ])
    },
  },
  {
    id: 'fidelity/unicode',
    title: 'text is not normalised, folded or trimmed: what looks alike stays apart, in ids, keys and headers',
    async run(context) {
      const channel = await context.channel()
      const alike = ['é', 'e\u0301', 'É', ' é', 'é ', 'ſ', 's', 'K', '\u212a', 'ﬁ', 'fi', '\u200dé', '🚚\ufe0f', '🚚']
      await roundTrip(
        context,
        channel,
        alike.map((text) => channel.record({ id: `${context.run}${text}`, key: text, headers: { subject: text } })),
      )
    },
  },
  {
    id: 'fidelity/limits-together',
    title: 'a record may fill its body, its headers and its key to their limits at the same time',
    async run(context) {
      const channel = await context.channel()
      const { bodyBytesMax, headerBytesMax } = context.capabilities
      if (Math.max(bodyBytesMax, headerBytesMax) >= testableBytesMax) return
      const full = channel.record({
        body: noise(bodyBytesMax),
        headers: { a: 'x'.repeat(headerBytesMax - 1) },
        key: 'k'.repeat(1_024),
      })
      const member = await channel.join('g', { credit: 1 })
      await channel.publish(full)
      expectSame([await member.next()], [full])
    },
  },
  {
    id: 'fidelity/keys',
    title: 'keys are any text of up to 1,024 bytes',
    async run(context) {
      const channel = await context.channel()
      const keys = ['a', 'A', ' ', 'ключ-鍵-🔑', 'a.b.*', 'a.>', '#', 'x/y?z=%20', '"', 'line\nbreak', 'ä'.repeat(512)]
      keys.push('k'.repeat(1_024))
      await roundTrip(
        context,
        channel,
        keys.map((key) => channel.record({ key })),
      )
      const outcomes = await channel.tryPublish(channel.record({ key: 'ä'.repeat(513) }), channel.record())
      assert.deepEqual(
        outcomes.map(({ ok }) => ok),
        [false, true],
      )
    },
  },
  {
    id: 'fidelity/ids',
    title: 'ids are any text, and far from equal ones stay apart',
    async run(context) {
      const channel = await context.channel()
      const ids = ['1', '01', 'A', 'a', 'ä', 'a b', 'a/b', 'urn:uuid:0', '🔑', 'x'.repeat(200)]
      await roundTrip(
        context,
        channel,
        ids.map((id) => channel.record({ id })),
      )
    },
  },
  {
    id: 'fidelity/names',
    title: 'names of channels and groups may use all they are allowed, and similar ones stay apart',
    async run(context) {
      const base = `Name.${context.run}`
      const names = [`${base}.a-b_c`, `${base}.a.b.c`, `${base}.a_b-c`, `${base}.A-b_c`, `${base}.`.padEnd(240, 'x')]
      const groups = ['G', 'g', 'g.1', 'g-1', 'g_1', 'x'.repeat(64)]
      const channels = await Promise.all(names.map((name) => context.channel({ name, groups })))
      const sent = await Promise.all(channels.map((channel) => channel.publish(channel.record())))
      for (const [at, channel] of channels.entries()) {
        for (const group of groups) {
          const member = await channel.join(group, { credit: 10 })
          expectSame([await member.next()], sent[at] ?? [])
        }
      }
      await context.lull()
    },
  },
]
