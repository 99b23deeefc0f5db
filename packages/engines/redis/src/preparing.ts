import {
  type Outcome,
  PosthasteError,
  type PreparedName,
  type PreparedRecord,
  type Preparing,
  succeeded,
} from '@posthaste/contracts'
import { refusal } from './admission.ts'
import { failed, undeclared } from './errors.ts'
import { packRecord, RecordReader } from './record-fields.ts'
import type { ServerTime } from './server-time.ts'
import type { Run } from './session.ts'
import { Packer, type Unpacker } from './wire.ts'

const limitMax = 10_000

/** Prepared records: they stand in a hash of their channel, and a sorted set has the times to ask about them. */
export function preparing(run: Run, time: ServerTime): Preparing {
  return {
    async prepare(record, checkAtMs) {
      refuseTime(checkAtMs)
      const error = refusal(record)
      if (error !== undefined) return { ok: false, error }
      const packer = new Packer().array(2)
      packRecord(packer, record, time.atServer(record.dueAtMs))
      return outcomeOf(await run('prepare', packer.number(time.atServer(checkAtMs)).take()), record, 'CONFLICT')
    },
    commit: (names) => resolve(names, 1, run),
    rollback: (names) => resolve(names, 0, run),
    async postpone(name, checkAtMs) {
      refuseTime(checkAtMs)
      const packer = new Packer().array(3).text(name.channel).text(name.id).number(time.atServer(checkAtMs))
      return outcomeOf(await run('postpone', packer.take()), name, 'NOT_FOUND')
    },
    prepared: (channel, limit) => list({ channel, limit }, run, time),
  }
}

async function resolve(names: readonly PreparedName[], commits: 0 | 1, run: Run): Promise<readonly Outcome[]> {
  const packer = new Packer().array(2).array(names.length)
  for (const { channel, id } of names) packer.array(2).text(channel).text(id)
  const reply = await run('resolve', packer.number(commits).take())
  reply.array()
  return names.map((name) => outcomeOf(reply, name, 'NOT_FOUND'))
}

/** 0 went well, 1 is what `code` says, a text tells why not. */
function outcomeOf(reply: Unpacker, { channel, id }: PreparedName, code: 'CONFLICT' | 'NOT_FOUND'): Outcome {
  const what = `prepared record ${id} for ${channel}`
  if (reply.isText()) return failed('NOT_FOUND', `${what}: ${reply.text()}`)
  if (reply.number() === 0) return succeeded
  const why = code === 'CONFLICT' ? 'it is prepared already' : 'it is resolved, or never was prepared'
  return failed(code, `${what}: ${why}`)
}

interface Listing {
  readonly channel: string
  readonly limit: number
}

/** How the script says that somebody is never to be asked again. */
const never = -1

async function list({ channel, limit }: Listing, run: Run, time: ServerTime): Promise<readonly PreparedRecord[]> {
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    throw new PosthasteError(
      'INVALID_ARGUMENT',
      `prepared of ${channel}: limit ${limit} is not within 1 to ${limitMax}`,
    )
  }
  const reply = await run('prepared', new Packer().array(2).text(channel).number(limit).take())
  if (reply.isNo()) throw undeclared(`channel ${channel}`)
  const reader = new RecordReader(channel)
  return Array.from({ length: reply.array() }, () => {
    reply.array()
    reply.number()
    const { record } = reader.read(reply, '')
    const preparedAtMs = time.atHome(reply.number())
    const checkAtMs = reply.number()
    const checks = reply.number()
    return {
      record,
      preparedAtMs,
      checkAtMs: checkAtMs === never ? Number.POSITIVE_INFINITY : time.atHome(checkAtMs),
      checks,
    }
  })
}

function refuseTime(checkAtMs: number): void {
  if (Number.isNaN(checkAtMs)) throw new PosthasteError('INVALID_ARGUMENT', 'prepared record: checkAtMs is no time')
}
