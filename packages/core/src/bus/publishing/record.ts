import {
  type Clock,
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
import { validateWith } from '../../pipeline/validation.ts'
import { type Codec, codecFor, jsonCodec } from '../bodies/codec.ts'
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
  readonly newId: () => string
  /** Its capabilities are looked at when they are needed: they are final only once it is open. */
  readonly engine: Pick<Engine, 'capabilities'>
}

/** Turns data into a record of its contract. */
export interface RecordComposer {
  /**
   * Checks and writes one message. Synchronous where the contract's schema is. What goes out is the data as it was
   * given, not the schema's output: the receiver's schema takes input, and puts its own defaults and transformations in.
   *
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE CONFIG_INVALID CAPABILITY_UNSUPPORTED, thrown or rejected
   */
  compose(contract: MessageContract, data: unknown, envelope: Envelope): MaybePromise<OutgoingRecord>
}

/** What surrounds the data. */
export interface Envelope {
  readonly options: PublishOptions | undefined
  readonly origin: Origin | undefined
}

type Mutable<T> = { -readonly [K in keyof T]: T[K] }

const codec: Codec = jsonCodec
const nothing = new Uint8Array(0)
const keyBytesMax = 1024

/** Hot path: one record object and one headers object of a fixed shape per message. */
export function recordComposer(deps: RecordDeps): RecordComposer {
  const build = (contract: MessageContract, data: unknown, ready: Envelope & { readonly output: unknown }) => {
    const { options, origin } = ready
    const { capabilities } = deps.engine
    const id = options?.id ?? origin?.id ?? deps.newId()
    const key = options?.key ?? keyOf(contract, ready.output)
    if (key !== undefined) checkKey(contract, key, options?.key !== undefined)
    const nowMs = deps.clock.nowMs()
    const own: Mutable<WireHeaders> = {
      type: contract.type,
      source: options?.source ?? deps.source,
      time: isoTime(nowMs),
      correlationid: options?.correlationId ?? origin?.correlationId ?? id,
    }
    if (data !== undefined) own.datacontenttype = codec.contentType
    if (origin !== undefined) own.causationid = origin.causationId
    const headers: Headers = options?.headers === undefined ? own : { ...options.headers, ...own }
    const body = data === undefined ? nothing : codec.encode(data)
    const dueAtMs = dueTime(options, nowMs)
    if (dueAtMs !== undefined) checkDelay(contract, capabilities)
    if (body.length > capabilities.bodyBytesMax) {
      const message = `${contract.type}: the body has ${body.length} bytes; the engine takes ${capabilities.bodyBytesMax}`
      throw new PosthasteError('BODY_TOO_LARGE', message)
    }
    checkHeaders(contract, headers, publishedBytesMax(capabilities.headerBytesMax))
    const ttl = contract.timeToLiveMs
    const expiresAtMs = ttl === undefined ? undefined : (dueAtMs ?? nowMs) + ttl
    return { id, channel: contract.type, key, headers, body, dueAtMs, expiresAtMs }
  }

  return {
    compose(contract, data, { options, origin }) {
      if (options !== undefined) checkPublishOptions(options)
      const output = validated(contract, data)
      if (isPromiseLike(output))
        return output.then((value) => build(contract, data, { options, origin, output: value }))
      return build(contract, data, { options, origin, output })
    },
  }
}

/**
 * Data as the contract's schema makes it. Synchronous where the schema is.
 * @throws PAYLOAD_INVALID, thrown or rejected; a schema that throws has said no in its own way
 */
export function validated(contract: MessageContract, data: unknown): MaybePromise<unknown> {
  try {
    const output = validateWith(contract.data, data, contract.type)
    return isPromiseLike(output) ? output.then(undefined, (thrown) => refuse(contract, thrown)) : output
  } catch (thrown) {
    return refuse(contract, thrown)
  }
}

function refuse(contract: MessageContract, thrown: unknown): never {
  throw PosthasteError.from(thrown, 'PAYLOAD_INVALID', `${contract.type}: the schema threw`)
}

/**
 * The data in a record's body, still to be checked against the schema.
 * @throws BODY_MALFORMED
 */
export function decodeRecord(record: OutgoingRecord): unknown {
  const contentType = record.headers.datacontenttype
  // CloudEvents without a content type carry JSON, or nothing at all.
  if (contentType === undefined && record.body.length === 0) return undefined
  return codecFor(contentType ?? jsonCodec.contentType).decode(record.body)
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

function dueTime(options: PublishOptions | undefined, nowMs: number): number | undefined {
  if (options === undefined) return undefined
  return options.delayMs === undefined ? options.atMs : nowMs + options.delayMs
}

function checkDelay(contract: MessageContract, capabilities: EngineCapabilities): void {
  if (capabilities.delay === 'native') return
  throw new PosthasteError('CAPABILITY_UNSUPPORTED', `${contract.type}: the engine cannot deliver at a later time`)
}
