import fc from 'fast-check'
import * as codec from 'rabbitmq-client/lib/codec.js'
import { describe, expect, it } from 'vitest'
import { FrameWriter, type Head, sharedHeaders } from './frames.ts'

/** The client's own, which it does not declare. */
const { decodeFrame } = codec as unknown as { decodeFrame(read: (count: number) => Promise<Buffer>): Promise<Frame> }

interface Frame {
  readonly channelId: number
  readonly params?: unknown
  readonly fields?: Readonly<Record<string, unknown>>
  readonly bodySize?: number
  readonly payload?: Buffer
}

const limits = { channelId: 7, frameBytesMax: 131_072 }

interface Read {
  readonly method: unknown
  fields: Readonly<Record<string, unknown>>
  bodySize: number
  body: Buffer
  parts: number
}

/** What the client reads out of frames. */
async function readAll(frames: readonly Buffer[]): Promise<readonly Read[]> {
  const bytes = Buffer.concat(frames)
  let at = 0
  const read = async (count: number): Promise<Buffer> => {
    at += count
    return bytes.subarray(at - count, at)
  }
  const all: Read[] = []
  while (at < bytes.length) {
    const { channelId, params, fields, bodySize, payload } = await decodeFrame(read)
    expect(channelId).toBe(limits.channelId)
    const last = all.at(-1)
    if (params !== undefined) all.push({ method: params, fields: {}, bodySize: -1, body: Buffer.alloc(0), parts: 0 })
    else if (last !== undefined && fields !== undefined) Object.assign(last, { fields, bodySize })
    else if (last !== undefined && payload !== undefined) {
      last.body = Buffer.concat([last.body, payload])
      last.parts += 1
    }
  }
  return all
}

const text = fc.string({ unit: 'grapheme', maxLength: 60 })
const short = text.filter((value) => Buffer.byteLength(value) <= 255)
/** The client's decoder loses the one that is left out; all that we write have a prefix. */
const names = short.filter((name) => name !== '__proto__')
const table = fc.dictionary(names, fc.oneof(text, fc.integer(), fc.double({ noNaN: true })), { noNullPrototype: true })
const heads: fc.Arbitrary<Head & { readonly headers: Record<string, string | number> }> = fc.record(
  {
    exchange: short,
    routingKey: short,
    mandatory: fc.boolean(),
    contentType: short,
    messageId: short,
    timestamp: fc.nat(2 ** 40),
    headers: table,
    shared: fc.dictionary(names, text, { noNullPrototype: true }).map(sharedHeaders),
  },
  { requiredKeys: ['headers'] },
)
const bodies = fc.oneof(
  fc.uint8Array(),
  fc.integer({ min: 16_000, max: 300_000 }).map((size) => new Uint8Array(size)),
)

describe('messages as frames', () => {
  it('are read by the client as they were written', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.tuple(heads, bodies), { maxLength: 5 }), async (messages) => {
        const writer = new FrameWriter()
        for (const [head, body] of messages) writer.message(head, Buffer.from(body), limits)
        const found = await readAll(writer.take())
        expect(found).toHaveLength(messages.length)
        for (const [at, [head, body]] of messages.entries()) {
          const { exchange = '', routingKey = '', mandatory = false, shared, headers, ...fields } = head
          expect(found[at]?.method).toMatchObject({ exchange, routingKey, mandatory, immediate: false })
          expect(found[at]?.fields).toEqual({ ...fields, headers: { ...shared?.headers, ...headers }, deliveryMode: 2 })
          expect(found[at]?.bodySize).toBe(body.length)
          expect(found[at]?.body.equals(body)).toBe(true)
        }
      }),
      { numRuns: 60 },
    )
  })

  it('have bodies in as many parts as the frames of the connection ask for', async () => {
    const writer = new FrameWriter()
    const body = Buffer.alloc(10_000, 'x')
    writer.message({ routingKey: 'q' }, body, { ...limits, frameBytesMax: 4_096 })
    expect(await readAll(writer.take())).toMatchObject([{ parts: 3, bodySize: 10_000 }])
    writer.message({ routingKey: 'q' }, Buffer.alloc(0), limits)
    expect(await readAll(writer.take())).toMatchObject([{ parts: 0, bodySize: 0 }])
  })

  it.each([
    ['a name is too long', { routingKey: 'x'.repeat(256) }],
    ['the headers do not fit', { headers: { big: 'x'.repeat(5_000) } }],
  ])('are refused where %s, and nothing of them is written', async (_why, head) => {
    const writer = new FrameWriter()
    const small = { ...limits, frameBytesMax: 4_096 }
    writer.message({ routingKey: 'before' }, Buffer.from('1'), small)
    expect(() => writer.message(head, Buffer.from('2'), small)).toThrow(RangeError)
    writer.message({ routingKey: 'after' }, Buffer.from('3'), small)
    const found = await readAll(writer.take())
    expect(found.map(({ body }) => body.toString())).toEqual(['1', '3'])
  })
})
