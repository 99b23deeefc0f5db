import type { OutgoingRecord } from '@posthaste/contracts'
import fc from 'fast-check'

/** Text as applications use it, and as only tests do. */
const text = (maxLength: number) =>
  fc.oneof(
    fc.string({ maxLength }),
    fc.string({ maxLength, unit: 'binary' }),
    fc.constantFrom('', 'é', '漢字', '💌', '\u0000'),
  )

const names = fc.oneof(
  fc.constantFrom('type', 'source', 'time', 'traceparent', 'dlcode'),
  fc.stringMatching(/^[a-z0-9]{1,20}$/),
)

/** Records with everything a record may have, for a channel. */
export function records(channel: string): fc.Arbitrary<OutgoingRecord> {
  const time = fc.option(fc.double({ min: 0, max: 2 ** 48 - 1, noNaN: true }), { nil: undefined })
  return fc
    .record({
      id: text(40),
      key: fc.option(text(40), { nil: undefined }),
      headers: fc.dictionary(names, text(60), { maxKeys: 8 }),
      body: fc.uint8Array({ maxLength: 200 }),
      dueAtMs: time,
      expiresAtMs: time,
      priority: fc.option(fc.integer({ min: 0, max: 255 }), { nil: undefined }),
    })
    .map((record) => ({ ...record, channel, headers: { ...record.headers } }))
}

/** A plain record. */
export function record(id: string, wish: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { id, channel: 'c', headers: {}, body: Buffer.from(id), ...wish }
}

/** A record as it can be compared: what an engine adds or how it holds bytes is left out. */
export function plain({ id, key, headers, body, dueAtMs, expiresAtMs, priority }: OutgoingRecord): unknown {
  return { id, key, headers: { ...headers }, body: Buffer.from(body).toString('hex'), dueAtMs, expiresAtMs, priority }
}
