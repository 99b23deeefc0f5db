import { type ErrorCode, errorCodes, type Verdict } from '@posthaste/contracts'
import fc from 'fast-check'
import type { MessageFlag, PlainFailure, PlainFrame } from './plain-frames.ts'

const stream = fc.oneof(fc.integer({ min: 1, max: 40 }), fc.integer({ min: 1, max: 0x7fff_ffff }))
const u16 = fc.integer({ min: 0, max: 0xffff })
const u8 = fc.integer({ min: 0, max: 0xff })

const hex = (minLength: number, maxLength: number) =>
  fc.uint8Array({ minLength, maxLength }).map((bytes) => Buffer.from(bytes).toString('hex'))

/** Now and then one that is referred to instead of copied. */
const large = fc
  .tuple(fc.integer({ min: 4000, max: 9000 }), u8)
  .map(([length, byte]) => Buffer.alloc(length, byte).toString('hex'))
const bodyOf = (minLength: number) =>
  fc.oneof({ weight: 9, arbitrary: hex(minLength, 60) }, { weight: 1, arbitrary: large })

const text = fc.string({ unit: 'grapheme', maxLength: 40 })
const wellFormed = text.map((value) => value.toWellFormed())
const name = fc.oneof(
  fc.constantFrom('traceparent', 'x-request-id', '__proto__', 'constructor', 'tostring'),
  fc.string({ unit: fc.constantFrom(...'abcxyz0189-_.!~|'), minLength: 1, maxLength: 30 }),
)
const metadata = fc
  .uniqueArray(fc.tuple(name, wellFormed), { maxLength: 5, selector: ([key]) => key })
  .map((pairs) => Object.fromEntries(pairs))

const whole: fc.Arbitrary<readonly MessageFlag[]> = fc.constantFrom(
  [],
  ['LAST'],
  ['COMPRESSED'],
  ['LAST', 'COMPRESSED'],
)
const piece: readonly MessageFlag[] = ['MORE']

const opening = fc.record(
  {
    type: fc.constant('OPEN' as const),
    stream,
    method: u16,
    name: fc.string({ unit: 'grapheme', minLength: 1, maxLength: 20 }).map((value) => value.toWellFormed()),
    timeoutMs: fc.integer({ min: 0, max: 0xffff_fffe }),
    codec: u8,
    metadata,
  },
  { requiredKeys: ['type', 'stream', 'method', 'codec', 'metadata'] },
)
const begun = fc.oneof(
  fc
    .tuple(opening, fc.constantFrom<(readonly MessageFlag[])[]>([], ['LAST']))
    .map(([open, flags]) => ({ ...open, flags })),
  fc.tuple(opening, whole, bodyOf(0)).map(([open, flags, body]) => ({ ...open, flags, body })),
  fc.tuple(opening, bodyOf(1)).map(([open, body]) => ({ ...open, flags: piece, body })),
)

const message = fc.oneof(
  fc.record({ type: fc.constant('MESSAGE' as const), stream, flags: whole, body: bodyOf(0) }),
  fc.record({ type: fc.constant('MESSAGE' as const), stream, flags: fc.constant(piece), body: bodyOf(1) }),
)

const reason = {
  code: fc.constantFrom<ErrorCode[]>('NOT_FOUND', 'UNAVAILABLE', 'INTERNAL', 'CONFLICT'),
  message: wellFormed,
  retryAfterMs: fc.integer({ min: 0, max: 1_000_000 }),
}
const failure: fc.Arbitrary<PlainFailure> = fc
  .record(
    {
      ...reason,
      remedy: wellFormed,
      verdict: fc.constantFrom<Verdict[]>('retryable', 'permanent', 'ignored'),
      details: fc.dictionary(fc.constantFrom('a', 'b'), fc.integer(), { noNullPrototype: true }),
    },
    { requiredKeys: ['code', 'message'] },
  )
  .map(({ verdict, ...rest }) =>
    verdict === undefined || verdict === errorCodes[rest.code].verdict ? rest : { ...rest, verdict },
  )
const goaway: fc.Arbitrary<PlainFrame> = fc
  .tuple(
    fc.integer({ min: 0, max: 0x7fff_ffff }),
    fc.option(fc.record(reason, { requiredKeys: ['code', 'message'] }), { nil: undefined }),
  )
  .map(([last, payload]) => (payload === undefined ? { type: 'GOAWAY', last } : { type: 'GOAWAY', last, payload }))

const either: readonly fc.Arbitrary<PlainFrame>[] = [
  message,
  fc.record({ type: fc.constant('END' as const), stream, metadata }),
  fc.record({
    type: fc.constant('CREDIT' as const),
    stream: fc.oneof(fc.constant(0), stream),
    bytes: fc.integer({ min: 1, max: 0x7fff_ffff }),
  }),
  fc.record({ type: fc.constant('PING' as const), flags: fc.constantFrom([], ['ACK'] as const), data: hex(8, 8) }),
  goaway,
]

/** What a client may send after its HELLO, frame by frame; sequences of them need not make sense. */
export const clientFrame: fc.Arbitrary<PlainFrame> = fc.oneof(
  begun,
  fc.record({ type: fc.constant('CANCEL' as const), stream, reason: u8 }),
  ...either,
)

/** What a server may send after its HELLO. */
export const serverFrame: fc.Arbitrary<PlainFrame> = fc.oneof(
  fc.record({
    type: fc.constant('ERROR' as const),
    stream,
    flags: fc.constantFrom([], ['UNTOUCHED'] as const),
    payload: failure,
  }),
  ...either,
)

/** Where to cut so many bytes into chunks: some offsets in order, each at most the length. */
export function cuts(length: number): fc.Arbitrary<readonly number[]> {
  return fc.array(fc.integer({ min: 0, max: length }), { maxLength: 12 }).map((at) => at.sort((a, b) => a - b))
}

/** The pieces between cuts; some may be empty. */
export function cutAt(bytes: Buffer, at: readonly number[]): readonly Buffer[] {
  return [...at, bytes.length].map((end, index) => bytes.subarray(index === 0 ? 0 : at[index - 1], end))
}
