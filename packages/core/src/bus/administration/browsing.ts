import {
  type BrowsedRecord,
  type Engine,
  type Headers,
  type MessageContract,
  type OutputOf,
  PosthasteError,
} from '@posthaste/contracts'
import { integerOption, numberOption, type OptionSpec, optional, readOptions } from '../../pipeline/options.ts'
import type { BodyReader } from '../bodies/reading.ts'
import { browsingOf, scan } from './scanning.ts'

/** Which messages of a contract to look at: all that is given must hold. */
export interface BrowseOptions {
  readonly id?: string | undefined
  /** The ordering key. */
  readonly key?: string | undefined
  readonly correlationId?: string | undefined
  /** Stored at this time or later, milliseconds since the epoch. */
  readonly sinceMs?: number | undefined
  /** Stored before this time, milliseconds since the epoch. */
  readonly untilMs?: number | undefined
  /** At most this many, 1 to 10,000. Default: 100. */
  readonly limit?: number | undefined
  /** Continue after this position. Default: from the oldest that is kept. */
  readonly after?: string | undefined
}

/** Messages as they stand in their channel, oldest first. */
export interface MessagePage<Data = unknown> {
  readonly messages: readonly BrowsedMessage<Data>[]
  /** Pass as `after` for the next page; undefined at the end. A page may be short of its limit and have a next one. */
  readonly next: string | undefined
}

/** One message in its place. */
export interface BrowsedMessage<Data = unknown> {
  /** Where it stands; groups may `seek` it. */
  readonly position: string
  /** When it was stored, milliseconds since the epoch. */
  readonly storedAtMs: number
  readonly id: string
  readonly key: string | undefined
  readonly type: string
  readonly headers: Headers
  /** As a handler would be given it; undefined where it cannot be read, which `error` tells. */
  readonly data: Data | undefined
  readonly error: PosthasteError | undefined
  /** Size of the body that travelled. */
  readonly bytes: number
}

const text: OptionSpec<string | undefined> = {
  fallback: undefined,
  expects: 'text',
  accepts: (value) => typeof value === 'string' && value !== '',
}
const time = optional(numberOption(0, { min: 0, max: Number.MAX_SAFE_INTEGER }))
const spec = {
  ...{ id: text, key: text, correlationId: text, sinceMs: time, untilMs: time },
  limit: integerOption(100, { min: 1, max: 10_000 }),
  after: text,
}

/** What messages are looked at with. */
export interface BrowsingInit {
  readonly engine: Engine
  readonly read: BodyReader
}

/**
 * A page of a contract's messages.
 * @throws CONFIG_INVALID; CAPABILITY_UNSUPPORTED where the engine cannot look into channels; what the engine fails with
 */
export async function browseMessages<C extends MessageContract>(
  { type }: C,
  given: BrowseOptions,
  { engine, read }: BrowsingInit,
): Promise<MessagePage<OutputOf<C['data']>>> {
  const { limit, after, ...match } = readOptions(`${type}.browse`, given, { options: spec })
  const page = await scan(browsingOf(engine), { channel: type, limit, after, match }, undefined)
  const messages = await Promise.all(page.records.map((found) => messageOf<OutputOf<C['data']>>(found, read)))
  return { messages, next: page.next }
}

async function messageOf<Data>(found: BrowsedRecord, read: BodyReader): Promise<BrowsedMessage<Data>> {
  const { position, storedAtMs, record } = found
  const { id, key, headers, body } = record
  const place = { position, storedAtMs, id, key, type: headers.type ?? record.channel, headers, bytes: body.byteLength }
  try {
    return { ...place, data: (await read(record)) as Data, error: undefined }
  } catch (thrown) {
    const error = PosthasteError.from(thrown, 'BODY_MALFORMED', `message ${id} of ${record.channel} cannot be read`)
    return { ...place, data: undefined, error }
  }
}
