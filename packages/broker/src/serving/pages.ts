import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Engine,
  type OutgoingRecord,
  PosthasteError,
  type PreparedRecord,
} from '@posthaste/contracts'
import type { DurablePreparing, PreparedPlace } from '@posthaste/embedded'
import type { Surroundings } from './surroundings.ts'

/*
 * An engine reads as many records as it is asked for into memory, however large they are. It is asked for a few at a time, until
 * an answer is large enough.
 */

const mib = 1024 * 1024
/** An answer ends with the record that makes it so large, in bytes. */
const answerBytesEnough = 4 * mib
/** What the engine may read into memory at a time, in bytes. */
const stepBytesMax = 128 * mib
const limitMax = 10_000

/** Where records are read from, and how large their bodies may be. */
export type Reading = {
  readonly engine: Pick<Engine, 'browsing'> & { readonly preparing: Pick<DurablePreparing, 'prepared'> }
} & Pick<Surroundings, 'config'>

/** What is asked of the prepared records of a channel: as many as `limit`, from the front or from behind a place. */
export interface PreparedQuery {
  readonly channel: string
  readonly limit: number
  readonly after?: PreparedPlace | undefined
}

/** Some of them, in their order. */
export interface PreparedPage {
  readonly records: readonly PreparedRecord[]
  /** False where there may be more of those that were asked for, behind the last one. */
  readonly isAll: boolean
}

/**
 * A page that is large enough, or as long as was asked for.
 * @throws NOT_FOUND INVALID_ARGUMENT
 */
export async function browsePage(query: BrowseQuery, { engine, config }: Reading): Promise<BrowsePage> {
  const { limit } = query
  checkLimit(limit)
  const step = stepOf(config)
  const records: BrowsedRecord[] = []
  let [bytes, after] = [0, query.after]
  for (;;) {
    const most = Math.min(step, limit - records.length)
    const page = await engine.browsing?.browse({ ...query, after, limit: most })
    if (page === undefined) return { records, next: undefined }
    for (const found of page.records) {
      records.push(alone(found))
      bytes += bytesOf(found.record)
      if (bytes < answerBytesEnough) continue
      return { records, next: found === page.records.at(-1) ? page.next : found.position }
    }
    // A page that is shorter has looked long enough for what was asked for.
    const isOver = page.next === undefined || records.length >= limit || page.records.length < most
    if (isOver) return { records, next: page.next }
    after = page.next
  }
}

/**
 * Prepared records: a page that is large enough, or all that were asked for.
 * @throws NOT_FOUND INVALID_ARGUMENT
 */
export async function preparedPage(
  { channel, limit, after }: PreparedQuery,
  { engine, config }: Reading,
): Promise<PreparedPage> {
  checkLimit(limit)
  const step = stepOf(config)
  const records: PreparedRecord[] = []
  let [bytes, place] = [0, after]
  while (records.length < limit) {
    const most = Math.min(step, limit - records.length)
    const found = await engine.preparing.prepared(channel, most, place)
    for (const each of found) {
      records.push(each)
      bytes += bytesOf(each.record)
      if (bytes >= answerBytesEnough) return { records, isAll: records.length === limit }
      place = { id: each.record.id, checkAtMs: each.checkAtMs }
    }
    if (found.length < most) break
  }
  return { records, isAll: true }
}

function checkLimit(limit: number): void {
  if (!(Number.isInteger(limit) && limit >= 1 && limit <= limitMax))
    throw new PosthasteError('INVALID_ARGUMENT', `limit must be 1 to ${limitMax}, not ${limit}`)
}

/** Records that may be read at a time, whatever their size. */
function stepOf({ limits }: Reading['config']): number {
  return Math.max(1, Math.floor(stepBytesMax / limits.bodyBytesMax))
}

/** About as many as it takes. */
function bytesOf({ id, headers, body }: OutgoingRecord): number {
  let bytes = id.length + body.byteLength
  for (const name in headers) bytes += name.length + headers[name]!.length
  return bytes
}

/** Its body is part of a larger buffer, which would stay as long as it does. */
function alone(found: BrowsedRecord): BrowsedRecord {
  return { ...found, record: { ...found.record, body: Uint8Array.from(found.record.body) } }
}
