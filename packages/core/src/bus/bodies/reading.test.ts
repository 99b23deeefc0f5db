import { type Codec, command, event, type OutgoingRecord } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, memoryRig, recordOf } from '../../../test/bus/rig.ts'
import { timerWheel } from '../../pipeline/timer-wheel.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { createBus } from '../bus.ts'
import { Bodies } from './bodies.ts'
import type { Readable } from './reading.ts'

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text)

/** Text written backwards, so that nobody takes it for anything else. */
const backwards: Codec = {
  contentType: 'application/x-backwards',
  encode: (value) => bytes([...JSON.stringify(value)].reverse().join('')),
  decode: (body) => JSON.parse([...new TextDecoder().decode(body)].reverse().join('')),
}

/** Writes with the schema that it names, and reads with the one it is told. */
const schemed: Codec = {
  contentType: 'application/x-schemed',
  dataSchema: 'urn:schema:2',
  encode: (value) => bytes(JSON.stringify(value)),
  decode: (body, dataSchema) => ({ ...JSON.parse(new TextDecoder().decode(body)), dataSchema }),
}

const headers = (more: Readonly<Record<string, string>>) => ({ ...recordOf({}).headers, ...more })

const read = (readable: Readable, record: Partial<OutgoingRecord>, codecs: readonly Codec[] = []): unknown => {
  const timers = timerWheel(manualClock())
  return new Bodies({ codecs, timers }).reader('shop.noted', readable)(recordOf(record))
}

describe('reading a body', () => {
  const Counted = { data: z.object({ n: z.number() }) }

  it('gives what the schema makes of it', () => {
    expect(read({ data: z.object({ n: z.number(), unit: z.string().default('kg') }) }, {})).toEqual({
      n: 1,
      unit: 'kg',
    })
  })

  it('goes by the content type of the message, not by the contract’s codec', () => {
    const own = { ...Counted, codec: backwards }
    expect(
      read(own, { body: backwards.encode({ n: 2 }), headers: headers({ datacontenttype: backwards.contentType }) }),
    ).toEqual({
      n: 2,
    })
    expect(read(own, { body: bytes('{"n":3}') })).toEqual({ n: 3 })
    expect(
      read(own, { body: bytes('{"n":3}'), headers: headers({ datacontenttype: 'application/cart+json' }) }),
    ).toEqual({
      n: 3,
    })
  })

  it('reads with the codecs of the application, too', () => {
    const record = { body: backwards.encode({ n: 2 }), headers: headers({ datacontenttype: backwards.contentType }) }
    expect(read(Counted, record, [backwards])).toEqual({ n: 2 })
    expect(() => read(Counted, record)).toThrow(expect.objectContaining({ code: 'BODY_MALFORMED' }))
  })

  it('takes no content type for JSON, or for nothing', () => {
    const { datacontenttype: _, ...none } = recordOf({}).headers
    expect(read(Counted, { headers: none })).toEqual({ n: 1 })
    expect(read({ data: z.undefined() }, { headers: none, body: bytes('') })).toBeUndefined()
  })

  it('tells the codec the schema it was written with', () => {
    const Any = { data: z.any(), codec: schemed }
    const more = { datacontenttype: schemed.contentType, dataschema: 'urn:schema:1' }
    expect(read(Any, { headers: headers(more) })).toEqual({ n: 1, dataSchema: 'urn:schema:1' })
  })

  it('calls what a codec throws malformed', () => {
    const broken = { body: bytes('}{'), headers: headers({ datacontenttype: backwards.contentType }) }
    expect(() => read({ ...Counted, codec: backwards }, { ...broken, body: bytes('x') })).toThrow(
      expect.objectContaining({ code: 'BODY_MALFORMED', verdict: 'permanent' }),
    )
  })

  it('waits for a schema that takes its time', async () => {
    const Slow = { data: z.object({ n: z.number() }).refine(async ({ n }) => n > 1, 'too small') }
    expect(await errorOf(Promise.resolve(read(Slow, {})))).toMatchObject({ code: 'PAYLOAD_INVALID' })
    expect(await read(Slow, { body: bytes('{"n":2}') })).toEqual({ n: 2 })
  })
})

describe('reading data of another version', () => {
  const Third = {
    data: z.object({ total: z.number(), currency: z.string() }),
    version: 3,
    upcasters: {
      1: (old: unknown) => ({ total: (old as { sum: number }).sum }),
      2: (old: unknown) => ({ ...(old as object), currency: 'EUR' }),
    },
  }

  it('lifts what an older writer wrote, step by step', () => {
    expect(read(Third, { body: bytes('{"sum":5}') })).toEqual({ total: 5, currency: 'EUR' })
    const second = { body: bytes('{"total":6}'), headers: headers({ dataversion: '2' }) }
    expect(read(Third, second)).toEqual({ total: 6, currency: 'EUR' })
    const third = { body: bytes('{"total":7,"currency":"CNY"}'), headers: headers({ dataversion: '3' }) }
    expect(read(Third, third)).toEqual({ total: 7, currency: 'CNY' })
  })

  it('takes what a newer writer wrote as it is', () => {
    const fourth = { body: bytes('{"total":7,"currency":"CNY","tax":1}'), headers: headers({ dataversion: '4' }) }
    expect(read(Third, fourth)).toEqual({ total: 7, currency: 'CNY' })
    expect(read({ data: z.object({ n: z.number() }) }, { headers: headers({ dataversion: '2' }) })).toEqual({ n: 1 })
  })

  it('names both versions when the schema does not take it', () => {
    const fourth = { body: bytes('{"amount":7}'), headers: headers({ dataversion: '4' }) }
    const expected = expect.objectContaining({
      code: 'PAYLOAD_INVALID',
      message: expect.stringMatching(/version 4 .* version 3/),
      issues: expect.arrayContaining([expect.objectContaining({ path: 'total' })]),
    })
    expect(() => read(Third, fourth)).toThrow(expected)
  })

  it('refuses a version that is none', () => {
    expect(() => read(Third, { headers: headers({ dataversion: 'new' }) })).toThrow(
      expect.objectContaining({ code: 'ENVELOPE_INVALID' }),
    )
  })
})

describe('two versions of one application', () => {
  const Old = command('shop.pay', { data: z.object({ sum: z.number() }) })
  const New = command('shop.pay', {
    data: z.object({ sum: z.number(), currency: z.string() }),
    version: 2,
    upcasters: { 1: (old) => ({ ...(old as object), currency: 'EUR' }) },
  })

  it('understand each other both ways', async () => {
    for (const [writer, reader, expected] of [
      [Old, New, { sum: 5, currency: 'EUR' }],
      [New, Old, { sum: 5 }],
    ] as const) {
      const { bus, engine, clock, log } = await memoryRig()
      await bus.start()
      await bus.send(writer, { sum: 5, currency: 'EUR' })
      await bus.close()
      const other = createBus({ name: 'shop', engine, clock, log, instance: 'shop-2' })
      const seen: unknown[] = []
      other.handle(reader, (data) => {
        seen.push(data)
      })
      await other.start()
      await clock.advance(1)
      expect(seen).toEqual([expected])
    }
  })

  it('write their version only where it is not the first', async () => {
    const { bus, clock } = await memoryRig({ codecs: [backwards] })
    const seen: unknown[] = []
    const Backwards = event('shop.backwards', { data: z.object({ n: z.number() }), codec: schemed, version: 7 })
    bus.on(Backwards, { group: 'points' }, (_, { headers: { dataversion, dataschema, datacontenttype } }) => {
      seen.push([dataversion, dataschema, datacontenttype])
    })
    bus.on(event('shop.plain', { data: z.any(), version: 1 }), { group: 'points' }, (_, context) => {
      seen.push(Object.keys(context.headers))
    })
    await bus.start()
    await bus.publish(Backwards, { n: 1 })
    await bus.publish(event('shop.plain', { data: z.any(), version: 1 }), 1)
    await clock.advance(1)
    expect(seen).toEqual([
      ['7', 'urn:schema:2', schemed.contentType],
      ['type', 'source', 'time', 'datacontenttype'],
    ])
  })

  it('refuse data that the codec cannot write', async () => {
    const Loop = event('shop.loop', { data: z.any(), codec: backwards })
    const { bus } = await memoryRig()
    await bus.start()
    expect(await errorOf(bus.publish(Loop, 1n))).toMatchObject({ code: 'PAYLOAD_INVALID' })
  })
})
