import {
  type Codec,
  type MaybePromise,
  type OutgoingRecord,
  PosthasteError,
  type Schema,
  type Upcasters,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import { validateWith } from '../../pipeline/validation.ts'
import type { ClaimCheck } from './claim-check.ts'
import type { Codecs } from './codecs.ts'
import { dataVersionOf, evolution } from './evolution.ts'
import { jsonCodec } from './json.ts'

/** What a contract, or a pattern of events, says about the data of its messages. */
export interface Readable {
  readonly data: Schema
  readonly codec?: Codec | undefined
  readonly version?: number | undefined
  readonly upcasters?: Upcasters | undefined
}

/**
 * The data of a record: fetched where it stands elsewhere, decoded, lifted to the reader's version, and checked. Synchronous
 * where nothing is fetched and the schema is.
 *
 * @throws BODY_MALFORMED PAYLOAD_INVALID ENVELOPE_INVALID; NOT_FOUND UNAVAILABLE FAILED_PRECONDITION for a body that stands
 *   elsewhere; thrown or rejected
 */
export type BodyReader = (record: OutgoingRecord) => MaybePromise<unknown>

/** What bodies are read with, in one application. */
export interface ReadingDeps {
  readonly codecs: Codecs
  readonly claims: Pick<ClaimCheck, 'fetch'>
}

/**
 * Makes the reader of one contract, once per subscription. Hot path: what this version of the contract wrote in its own
 * format is recognised by comparing.
 *
 * @param what names the data in errors: `shop.order.created`
 */
export function bodyReader(what: string, readable: Readable, deps: ReadingDeps): BodyReader {
  const { data: schema, codec: own } = readable
  const written = own ?? jsonCodec
  const versions = evolution(what, readable.version, readable.upcasters)
  const ownVersion = versions.version === 1 ? undefined : String(versions.version)

  const decode = ({ headers }: OutgoingRecord, body: Uint8Array): unknown => {
    const contentType = headers.datacontenttype
    if (contentType === written.contentType) return decodeWith(written, body, headers.dataschema)
    // CloudEvents without a content type carry JSON, or nothing at all.
    if (contentType === undefined) return body.length === 0 ? undefined : jsonCodec.decode(body)
    return decodeWith(deps.codecs.find(contentType, own), body, headers.dataschema)
  }

  /** Data of an older version is lifted; that of a newer one is taken as it is. */
  const readOther = (data: unknown, from: number): MaybePromise<unknown> => {
    const { version } = versions
    if (from === version) return validated(schema, data, what)
    const lifted = from < version ? versions.lift(data, from) : data
    return validated(schema, lifted, `${what}, data of version ${from} read as version ${version}`)
  }

  const readBody = (record: OutgoingRecord, body: Uint8Array): MaybePromise<unknown> => {
    const data = decode(record, body)
    const { dataversion } = record.headers
    if (dataversion === ownVersion) return validated(schema, data, what)
    return readOther(data, dataVersionOf(dataversion))
  }

  return (record) => {
    if (record.headers.dataref === undefined) return readBody(record, record.body)
    return deps.claims.fetch(record).then((body) => readBody(record, body))
  }
}

function decodeWith(codec: Codec, body: Uint8Array, dataSchema: string | undefined): unknown {
  try {
    return codec.decode(body, dataSchema)
  } catch (cause) {
    throw PosthasteError.from(cause, 'BODY_MALFORMED', `the body cannot be read as ${codec.contentType}`)
  }
}

/**
 * Data as a schema makes it. Synchronous where the schema is.
 * @throws PAYLOAD_INVALID, thrown or rejected; a schema that throws has said no in its own way
 */
export function validated(schema: Schema, data: unknown, what: string): MaybePromise<unknown> {
  try {
    const output = validateWith(schema, data, what)
    return isPromiseLike(output) ? output.then(undefined, (thrown) => refuse(thrown, what)) : output
  } catch (thrown) {
    return refuse(thrown, what)
  }
}

function refuse(thrown: unknown, what: string): never {
  throw PosthasteError.from(thrown, 'PAYLOAD_INVALID', `${what}: the schema threw`)
}
