import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  type Move,
  type Outcome,
  PosthasteError,
  type RecordMatch,
  succeeded,
} from '@posthaste/contracts'
import { refusal } from './admission.ts'
import { failed, undeclared } from './errors.ts'
import { batchMax } from './features.ts'
import { type Place, placeOf, positionOf } from './names.ts'
import { packRecord, RecordReader } from './record-fields.ts'
import type { ServerTime } from './server-time.ts'
import type { Run } from './session.ts'
import { Packer } from './wire.ts'

const limitMax = 10_000

/** A page ends after so many records, wanted or not. */
const lookedAtMax = 10_000

/** Most moves in one call of the script. */
const movesMax = 200
const pageBytesMax = 4_194_304

/** Looking into channels, and taking records out of queues. */
export function browsing(run: Run, time: ServerTime): Browsing {
  return {
    browse: (query) => browse(query, run, time),
    async move(channel, moves) {
      const outcomes: Outcome[] = []
      // One call at least, since it tells what is wrong with the channel.
      for (let at = 0; at === 0 || at < moves.length; at += movesMax)
        outcomes.push(...(await move({ channel, moves: moves.slice(at, at + movesMax) }, run, time)))
      return outcomes
    },
  }
}

async function browse(query: BrowseQuery, run: Run, time: ServerTime): Promise<BrowsePage> {
  const { channel, after, limit, match } = query
  const refuse = (what: string) => new PosthasteError('INVALID_ARGUMENT', `browse of ${channel}: ${what}`)
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax)
    throw refuse(`limit ${limit} is not within 1 to ${limitMax}`)
  let place = after === undefined ? undefined : placeOf(after)
  if (after !== undefined && place === undefined) throw refuse(`${after} is no position of this engine`)
  const records: BrowsedRecord[] = []
  for (let seen = 0; seen < lookedAtMax; ) {
    const wanted = Math.min(batchMax, match === undefined ? limit - records.length : lookedAtMax - seen)
    const page = await read({ channel, place, wanted }, run, time)
    for (const browsed of page.records) {
      place = placeOf(browsed.position)
      seen += 1
      if (match === undefined || fits(browsed, match)) records.push(browsed)
      if (records.length < limit) continue
      const isLast = page.isLast && browsed === page.records.at(-1)
      return { records, next: isLast ? undefined : browsed.position }
    }
    if (page.isLast) return { records, next: undefined }
    // A page is made of a few replies at most, so that whoever asked hears something.
    if (match === undefined) return { records, next: page.records.at(-1)?.position }
  }
  return { records, next: place && positionOf(place.ref) }
}

interface Reading {
  readonly channel: string
  readonly place: Place | undefined
  readonly wanted: number
}

async function read({ channel, place, wanted }: Reading, run: Run, time: ServerTime) {
  const packer = new Packer().array(4).text(channel)
  if (place === undefined) packer.no()
  else packer.array(2).text(`${place.ms}-${place.seq}`).number(place.level)
  const reply = await run('browse', packer.number(wanted).number(pageBytesMax).take())
  if (reply.isNo()) throw undeclared(`channel ${channel}`)
  reply.array()
  const isLast = reply.number() === 1
  const reader = new RecordReader(channel)
  const records = Array.from({ length: reply.array() }, (): BrowsedRecord => {
    reply.array()
    const ref = reply.ascii()
    reply.number()
    reply.number()
    const { record, storedAtMs } = reader.read(reply, ref)
    return { position: positionOf(ref), storedAtMs: time.atHome(storedAtMs), record }
  })
  return { isLast, records }
}

function fits({ record, storedAtMs }: BrowsedRecord, match: RecordMatch): boolean {
  const { id, key, correlationId, sinceMs = Number.NEGATIVE_INFINITY, untilMs = Number.POSITIVE_INFINITY } = match
  if (id !== undefined && id !== record.id) return false
  if (key !== undefined && key !== record.key) return false
  if (correlationId !== undefined && correlationId !== (record.headers.correlationid ?? record.id)) return false
  return sinceMs <= storedAtMs && storedAtMs < untilMs
}

interface Moving {
  readonly channel: string
  readonly moves: readonly Move[]
}

/** What the script answers for a move that did not happen. */
const gone = 1
const handled = 2

async function move({ channel, moves }: Moving, run: Run, time: ServerTime): Promise<readonly Outcome[]> {
  const outcomes = new Array<Outcome>(moves.length)
  const sent: number[] = []
  const packer = new Packer()
  for (const [at, { position, publish }] of moves.entries()) {
    const error = publish.map(refusal).find((each) => each !== undefined)
    const place = placeOf(position)
    if (error !== undefined) outcomes[at] = { ok: false, error }
    else if (place === undefined)
      outcomes[at] = failed('NOT_FOUND', `${position} of ${channel} is no position of this engine`)
    else {
      sent.push(at)
      packer.array(2).text(place.ref).array(publish.length)
      for (const record of publish) packRecord(packer, record, time.atServer(record.dueAtMs))
    }
  }
  const packed = packer.take()
  const reply = await run('move', packer.array(2).text(channel).array(sent.length).packed(packed).take())
  if (reply.isNo()) throw undeclared(`channel ${channel}`)
  if (!reply.isArray()) throw new PosthasteError('FAILED_PRECONDITION', `channel ${channel}: a log keeps its records`)
  reply.array()
  for (const at of sent) {
    const what = `position ${moves[at]?.position} of ${channel}`
    outcomes[at] = reply.isText() ? failed('NOT_FOUND', reply.text()) : moveOutcome(reply.number(), what)
  }
  return outcomes
}

function moveOutcome(code: number, what: string): Outcome {
  if (code === gone) return failed('NOT_FOUND', `${what}: the record is gone`)
  return code === handled ? failed('CONFLICT', `${what}: the record is being handled`) : succeeded
}
