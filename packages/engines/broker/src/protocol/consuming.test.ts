import type { Delivery, Settlement } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import {
  DeliveryWriter,
  fromBroker,
  fromClient,
  readDeliveries,
  readSettlements,
  runsOf,
  SettlementWriter,
} from './consuming.ts'
import { Reader } from './reader.ts'
import { Writer } from './writer.ts'

const positions = fc.oneof(
  fc.nat(1_000).map((number) => number.toString().padStart(15, '0')),
  fc.constantFrom('g000000000000007', '000001795319031.3.000000000000009', '999999999999999'),
)
const deliveries = fc.array(
  fc.record({
    attempt: fc.integer({ min: 1, max: 400 }),
    storedAtMs: fc.constantFrom(0, 1_795_319_031_031, 1_795_319_031_031.5),
    position: positions,
    id: fc.string({ maxLength: 8 }),
  }),
  { minLength: 1, maxLength: 12 },
)

function delivery(at: number, told: { attempt: number; storedAtMs: number; position: string; id: string }): Delivery {
  const { id, ...rest } = told
  return { tag: 5 + at, record: { id, channel: 'c', headers: {}, body: new Uint8Array(1) }, ...rest }
}

function written(list: readonly Delivery[]): Reader {
  const writer = new Writer()
  const each = new DeliveryWriter(writer, 'c')
  each.begin(list[0]?.tag ?? 0)
  for (const one of list) each.add(one)
  const reader = new Reader(writer.take())
  expect(reader.byte()).toBe(fromBroker.deliver)
  return reader
}

describe('deliveries', () => {
  it('are read as they were written, with tags of the reader’s own', () => {
    fc.assert(
      fc.property(deliveries, fc.nat(1_000), (told, tagBase) => {
        const list = told.map((each, at) => delivery(at, each))
        const read = readDeliveries(written(list), { channel: 'c', tagBase, shiftMs: 0 })
        const seen = ({ tag, attempt, storedAtMs, position, record: { id, channel } }: Delivery) => [
          ...[tag, attempt, storedAtMs, position, id, channel],
        ]
        expect(read.map(seen)).toEqual(list.map((each) => seen({ ...each, tag: each.tag + tagBase })))
      }),
    )
  })

  it('have times of the reader’s clock', () => {
    const one = { attempt: 1, storedAtMs: 1_000, position: '1', id: 'a' }
    const due = { ...delivery(0, one), record: { ...delivery(0, one).record, dueAtMs: 2_000 } }
    const [read] = readDeliveries(written([due]), { channel: 'c', tagBase: 0, shiftMs: -300 })
    expect(read).toMatchObject({ storedAtMs: 700, record: { dueAtMs: 1_700 } })
  })

  it('cost few bytes beside their records', () => {
    const list = Array.from({ length: 10 }, (_, at) =>
      delivery(at, { attempt: 1, storedAtMs: 7, position: (900 + at).toString().padStart(15, '0'), id: 'a' }),
    )
    expect(written(list).buffer.length).toBeLessThan(10 * 8 + 20)
  })
})

const settlements = fc.array(
  fc.oneof(
    fc.record({ kind: fc.constant('ack' as const), tag: fc.nat(3_000) }),
    fc.record({
      kind: fc.constant('ack' as const),
      tag: fc.nat(30),
      publish: fc.array(
        fc.record({
          ...{ id: fc.string(), channel: fc.constantFrom('c', 'd'), headers: fc.constant({ type: 'x' }) },
          body: fc.constant(Buffer.from('body')),
        }),
        { maxLength: 3 },
      ),
    }),
    fc.record({
      ...{ kind: fc.constant('release' as const), tag: fc.nat(2 ** 33), countsAttempt: fc.boolean() },
      visibleAtMs: fc.option(fc.double({ noNaN: true }), { nil: undefined }),
      holdKey: fc.boolean(),
    }),
  ),
  { maxLength: 10 },
)

describe('settlements', () => {
  it('are read as they were written', () => {
    fc.assert(
      fc.property(settlements, (list: readonly Settlement[]) => {
        const writer = new Writer()
        const each = new SettlementWriter(writer, 'c')
        each.begin(7)
        for (const one of list) each.add(one, one.tag)
        const reader = new Reader(writer.take())
        expect([reader.byte(), reader.varint()]).toEqual([fromClient.settle, 7])
        expect(readSettlements(reader, 'c')).toEqual(list)
      }),
    )
  })

  it('of tags that follow each other are a byte each', () => {
    const writer = new Writer()
    const each = new SettlementWriter(writer, 'c')
    each.begin(1)
    for (let tag = 1; tag <= 100; tag++) each.add({ kind: 'ack', tag }, tag)
    expect(writer.length).toBe(102)
  })
})

describe('runs of tags', () => {
  it('are all of them, and as few as there can be', () => {
    expect(runsOf([1, 2, 3, 7, 9, 10])).toEqual([
      [1, 3],
      [7, 1],
      [9, 2],
    ])
    expect(runsOf([])).toEqual([])
  })
})
