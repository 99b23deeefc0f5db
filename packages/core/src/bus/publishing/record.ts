import {
  type Clock,
  type Codec,
  type Engine,
  type EngineCapabilities,
  type Headers,
  type MaybePromise,
  type MessageContract,
  type OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { isoTime } from '../../pipeline/ids.ts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { ClaimCheck } from '../bodies/claim-check.ts'
import { jsonCodec } from '../bodies/json.ts'
import { validated } from '../bodies/reading.ts'
import {
  headerBytes,
  headersFit,
  publishedBytesMax,
  publishedHeadersMax,
  utf8Bytes,
  type WireHeaders,
} from './attributes.ts'
import { checkPublishOptions, type PublishOptions } from './publish-options.ts'

/** The message whose handler publishes, and the id it gives to what it publishes. */
export interface Origin {
  readonly id: string
  readonly causationId: string
  readonly correlationId: string
}

/** What records are composed with. */
export interface RecordDeps {
  readonly source: string
  readonly clock: Clock
  readonly newId: (nowMs: number) => string
  /** Its capabilities are looked at when they are needed: they are final only once it is open. */
  readonly engine: Pick<Engine, 'capabilities'>
  readonly claims: Pick<ClaimCheck, 'takes' | 'leave'>
}

/** Turns data into a record of its contract. */
export interface RecordComposer {
  /**
   * Checks and writes one message. Synchronous where the contract's schema is and the body travels. What goes out is the data as it was
   * given, not the schema's output: the receiver's schema takes input, and puts its own defaults and transformations in.
   *
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE CONFIG_INVALID CAPABILITY_UNSUPPORTED, and what a store of bodies fails with;
   *   thrown or rejected
   */
  compose(contract: MessageContract, data: unknown, envelope: Envelope): MaybePromise<OutgoingRecord>
}

/** What surrounds the data. */
export interface Envelope {
  readonly options: PublishOptions | undefined
  readonly origin: Origin | undefined
  /** The channel that the answer goes to. */
  readonly replyTo?: string | undefined
}

/** Nothing is said about the message. */
export const plainEnvelope: Envelope = Object.freeze({ options: undefined, origin: undefined })

/** Data as it was given, and as the schema made it. */
interface Checked {
  readonly data: unknown
  readonly output: unknown
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const nothing = new Uint8Array(0)
const keyBytesMax = 1024

/** Hot path: one record object of a fixed shape per message, and what {@link commonHeaders} saves. */
export function recordComposer(deps: RecordDeps): RecordComposer {
  const common = commonHeaders(deps)

  const build = (
    contract: MessageContract,
    { data, output }: Checked,
    envelope: Envelope,
  ): MaybePromise<OutgoingRecord> => {
    const { options, origin, replyTo } = envelope
    const { capabilities } = deps.engine
    const nowMs = deps.clock.nowMs()
    const id = options?.id ?? origin?.id ?? deps.newId(nowMs)
    const key = options?.key ?? keyOf(contract, output)
    if (key !== undefined) checkKey(contract, key, options?.key !== undefined)
    const isCommon = options === undefined && origin === undefined && replyTo === undefined && data !== undefined
    const headers = isCommon
      ? common(contract, nowMs)
      : headersOf(contract, data !== undefined, { ...envelope, nowMs, deps })
    const body = data === undefined ? nothing : writeData(contract, data)
    const dueAtMs = dueTime(options, nowMs)
    if (dueAtMs !== undefined) checkDelay(contract, capabilities)
    const ttl = options?.timeToLiveMs ?? contract.timeToLiveMs
    const expiresAtMs = ttl === undefined ? undefined : (dueAtMs ?? nowMs) + ttl
    const priority = options?.priority
    if (priority !== undefined) checkPriority(contract, priority)
    const record = { id, channel: contract.type, key, headers, body, dueAtMs, expiresAtMs, priority }
    if (deps.claims.takes(body.length, capabilities)) return claimed(contract, record, deps)
    if (body.length > capabilities.bodyBytesMax) throw bodyTooLarge(contract, body.length, capabilities.bodyBytesMax)
    return record
  }

  return {
    compose(contract, data, envelope) {
      if (envelope.options !== undefined) checkPublishOptions(envelope.options)
      const output = validated(contract.data, data, contract.type)
      if (!isPromiseLike(output)) return build(contract, { data, output }, envelope)
      return output.then((later) => build(contract, { data, output: later }, envelope))
    },
  }
}

/**
 * The headers of messages of which nothing particular is said: one object, checked once, for all of a contract in one
 * millisecond. An engine may write what it has just written again.
 */
function commonHeaders(deps: RecordDeps): (contract: MessageContract, nowMs: number) => Headers {
  let latest: { readonly contract: MessageContract; readonly atMs: number; readonly headers: Headers } | undefined
  return (contract, nowMs) => {
    if (latest !== undefined && latest.contract === contract && latest.atMs === nowMs) return latest.headers
    const headers = Object.freeze(headersOf(contract, true, { ...plainEnvelope, nowMs, deps }))
    latest = { contract, atMs: nowMs, headers }
    return headers
  }
}

/** @throws BODY_TOO_LARGE when there are too many of them, or too long ones */
function headersOf(
  contract: MessageContract,
  hasData: boolean,
  said: Envelope & { readonly nowMs: number; readonly deps: RecordDeps },
): Headers {
  const { options, origin, replyTo, nowMs, deps } = said
  const own: Mutable<WireHeaders> = {
    type: contract.type,
    source: options?.source ?? deps.source,
    time: isoTime(nowMs),
  }
  const correlationId = options?.correlationId ?? origin?.correlationId
  if (correlationId !== undefined) own.correlationid = correlationId
  if (hasData) describeData(contract, own)
  if (origin !== undefined) own.causationid = origin.causationId
  if (replyTo !== undefined) own.replyto = replyTo
  const headers: Headers = options?.headers === undefined ? own : { ...options.headers, ...own }
  checkHeaders(contract, headers, publishedBytesMax(deps.engine.capabilities.headerBytesMax))
  return headers
}

/** Says how the data is written. */
function describeData({ codec = jsonCodec, version = 1 }: MessageContract, headers: Mutable<WireHeaders>): void {
  headers.datacontenttype = codec.contentType
  if (codec.dataSchema !== undefined) headers.dataschema = codec.dataSchema
  if (version > 1) headers.dataversion = String(version)
}

function writeData(contract: MessageContract, data: unknown): Uint8Array {
  const { codec = jsonCodec } = contract
  return codec === jsonCodec ? codec.encode(data) : encodeWith(codec, contract, data)
}

function encodeWith(codec: Codec, contract: MessageContract, data: unknown): Uint8Array {
  try {
    return codec.encode(data)
  } catch (cause) {
    const message = `${contract.type}: the data cannot be written as ${codec.contentType}`
    throw PosthasteError.from(cause, 'PAYLOAD_INVALID', message)
  }
}

/** The record whose body stands in the store. The reference takes its place among the headers, too. */
async function claimed(contract: MessageContract, record: OutgoingRecord, deps: RecordDeps): Promise<OutgoingRecord> {
  const left = await deps.claims.leave(record)
  checkHeaders(contract, left.headers, publishedBytesMax(deps.engine.capabilities.headerBytesMax))
  return left
}

function bodyTooLarge(contract: MessageContract, bytes: number, bytesMax: number): PosthasteError {
  const message = `${contract.type}: the body has ${bytes} bytes; the engine takes ${bytesMax}`
  return new PosthasteError('BODY_TOO_LARGE', message, {
    remedy: 'Send a smaller body, or give the application a claimCheck, which has big bodies stand in a store.',
  })
}

/** The contract's key of validated data; what the key function throws is the data's fault. */
function keyOf(contract: MessageContract, output: unknown): string | undefined {
  if (contract.key === undefined) return undefined
  try {
    return contract.key(output)
  } catch (cause) {
    throw PosthasteError.from(cause, 'PAYLOAD_INVALID', `${contract.type}: the contract's key function threw`)
  }
}

function checkKey(contract: MessageContract, key: unknown, given: boolean): void {
  if (given && contract.key === undefined) {
    const message = `${contract.type}: a key was given, but the contract has none`
    throw new PosthasteError('CONFIG_INVALID', message, { remedy: 'Give the contract a key function first.' })
  }
  // A UTF-16 unit takes at most three bytes, so short keys need no counting.
  const fits =
    typeof key === 'string' && key.length > 0 && (key.length * 3 <= keyBytesMax || utf8Bytes(key) <= keyBytesMax)
  if (fits) return
  const path = 'key'
  const message = `must be text of 1 to ${keyBytesMax} bytes, not ${typeof key === 'string' ? `of ${key.length} characters` : typeof key}`
  throw new PosthasteError('PAYLOAD_INVALID', `${contract.type}: key ${message}`, { issues: [{ path, message }] })
}

/** What is published must fit into a dead letter, too: one that does not would be settled never. */
function checkHeaders(contract: MessageContract, headers: Headers, bytesMax: number): void {
  if (headersFit(headers, publishedHeadersMax, bytesMax)) return
  const count = Object.keys(headers).length
  const message = `${contract.type}: ${count} headers of ${headerBytes(headers)} bytes; there may be ${publishedHeadersMax} of ${bytesMax} bytes, which leaves room for a dead letter`
  throw new PosthasteError('BODY_TOO_LARGE', message, { remedy: 'Send fewer or shorter headers.' })
}

function checkPriority({ type, priorities = 1 }: MessageContract, priority: number): void {
  if (priority < priorities) return
  const message = `must be below the contract's priorities, ${priorities}, but is ${priority}`
  throw new PosthasteError('CONFIG_INVALID', `${type}: priority ${message}`, {
    issues: [{ path: 'priority', message }],
  })
}

function dueTime(options: PublishOptions | undefined, nowMs: number): number | undefined {
  if (options === undefined) return undefined
  return options.delayMs === undefined ? options.atMs : nowMs + options.delayMs
}

function checkDelay(contract: MessageContract, capabilities: EngineCapabilities): void {
  if (capabilities.delay === 'native') return
  throw new PosthasteError('CAPABILITY_UNSUPPORTED', `${contract.type}: the engine cannot deliver at a later time`)
}
