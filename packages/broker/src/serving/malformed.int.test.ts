import { callNames, methodOf, packParcel, protocolVersions, streams, Writer } from '@posthaste/broker/protocol'
import type { OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { dial, type LinkDialer, lastMessage } from '@posthaste/link/connection'
import fc from 'fast-check'
import { systemClock } from 'posthaste/pipeline'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { declare, Rig } from '../../test/rig.ts'
import type { Broker } from './broker.ts'

const session = 'abcdefghijklmnop'

let rig: Rig
let broker: Broker
let dialer: LinkDialer

beforeAll(async () => {
  rig = new Rig()
  broker = await rig.broker()
  const engine = await rig.engine(broker)
  await declare(engine)
  await declare(engine, { name: 'l', kind: 'log' })
  const options = { url: broker.urls[0] ?? '', messageBytesMax: 64 * 1024 * 1024 }
  dialer = dial(options, { clock: systemClock, log: rig.host.log, random: () => 0.5 })
  await ask(streams.session, packParcel(beginning), 'open')
})

afterAll(async () => {
  await dialer.close(0)
  await rig.close()
})

const beginning = { version: protocolVersions[0], session, resume: false, instance: 'raw', sessionMs: 5_000 }

/** Says something, and then nothing more, or leaves it open; what came back: nothing, or why not. */
async function ask(method: string, body: Uint8Array, how: 'last' | 'open'): Promise<PosthasteError | undefined> {
  const { promise, resolve } = Promise.withResolvers<PosthasteError | undefined>()
  const flags = how === 'last' ? lastMessage : 0
  const opening = { method, metadata: { session }, codec: 'application/octet-stream', body, flags }
  const stream = dialer.open(opening, {
    message: (message) => {
      stream.consumed(message.byteLength)
      resolve(undefined)
    },
    ended: () => resolve(undefined),
    failed: resolve,
    writable: () => {},
  })
  return promise
}

const words = fc.constantFrom('c', 'l', 'g', 'a.*', session, 'x', '', '__proto__', 'posthaste.reply.x', '\u0000')
const values = fc.oneof(
  words,
  fc.constantFrom(null, true, 0, -1, 1, 1e308, 1.5, [], {}),
  fc.constantFrom(['1', 1], [[1, 1]], { to: 'next' }, { id: 'x' }, { toString: 1 }),
  fc.jsonValue({ maxDepth: 2 }),
)
const channels = fc.record(
  { name: values, kind: fc.oneof(fc.constantFrom('log', 'queue'), values), keyed: values, retention: values },
  { requiredKeys: [] },
)
const groups = fc.record(
  { channel: values, group: values, from: fc.oneof(fc.constantFrom('next'), values), lifetime: values },
  { requiredKeys: [] },
)
/** With the members that heads have, of any type. */
const members = fc.record(
  {
    ...{ channel: words, group: values, name: values, names: fc.array(values, { maxLength: 2 }), id: values },
    ...{ limit: fc.oneof(fc.constant(5), values), after: values, match: values, target: values, moves: values },
    ...{ checkAtMs: values, pattern: values, from: values, lifetime: values, session: words, resume: values },
    ...{ subscription: values, member: words, credit: values, holding: values, watch: values, isOver: values },
    ...{ answered: values, afresh: values, version: values, versions: values, instance: values, sessionMs: values },
    ...{ channels: fc.oneof(values, fc.array(channels, { maxLength: 2 })) },
    ...{ groups: fc.oneof(values, fc.array(groups, { maxLength: 2 })) },
  },
  { requiredKeys: [] },
)
const numbers = fc.option(fc.double(), { nil: undefined })
const records: fc.Arbitrary<OutgoingRecord> = fc.record({
  ...{ id: fc.string({ maxLength: 9 }), channel: words, headers: fc.dictionary(words, words), body: fc.uint8Array() },
  ...{ key: fc.option(words, { nil: undefined }), group: fc.option(words, { nil: undefined }) },
  ...{ dueAtMs: numbers, expiresAtMs: numbers, priority: numbers },
})
const parcels = fc
  .tuple(fc.oneof(members, members, fc.jsonValue()), fc.array(records, { maxLength: 2 }))
  .map(([head, list]) => packParcel(head, list))
/** What is no JSON, or no parcel. */
const noise = fc.oneof(
  fc.uint8Array({ maxLength: 40 }),
  fc.string().map((text) => {
    const writer = new Writer()
    writer.sizedText(text)
    return writer.take()
  }),
)
const methods = fc.constantFrom(...callNames.map(methodOf), ...Object.values(streams))

describe('whatever is said to a broker', () => {
  it('is answered or refused, never as a fault of its own', async () => {
    const saying = fc.asyncProperty(
      methods,
      fc.oneof({ weight: 5, arbitrary: parcels }, noise),
      async (method, body) => {
        const error = await ask(method, body, 'last')
        expect(error?.code).not.toBe('INTERNAL')
        expect(error?.message ?? '').not.toMatch(/TypeError|undefined|not a function|Cannot read/)
      },
    )
    await fc.assert(saying, { numRuns: 2_000, interruptAfterTimeLimit: 6_000 })
    expect(broker.figures().state).toBe('ready')
    expect(await ask(methodOf('topology'), packParcel({}), 'last')).toBeUndefined()
  })

  it.each([
    ...['{', '', 'undefined', '[]', 'null', '7', '"x"'],
    ...['{"channel":7,"group":{}}', '{"channels":[null],"groups":{}}'],
  ])('is malformed where it is %s', async (text) => {
    const writer = new Writer()
    writer.sizedText(text)
    const body = writer.take()
    const heedless = ['topology', 'channels', 'clients']
    for (const name of callNames.filter((each) => !heedless.includes(each))) {
      const error = await ask(methodOf(name), body, 'last')
      expect([name, error?.code]).toEqual([name, 'BODY_MALFORMED'])
    }
    for (const name of Object.values(streams)) {
      const error = await ask(name, body, 'open')
      // What says no version is of none that is known.
      const isOfNone = name === streams.session && text.startsWith('{"')
      expect([name, error?.code]).toEqual([name, isOfNone ? 'FAILED_PRECONDITION' : 'BODY_MALFORMED'])
    }
  })
})
