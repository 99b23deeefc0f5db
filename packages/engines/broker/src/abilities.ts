import type {
  BrowsePage,
  Browsing,
  ChannelSpec,
  Lag,
  LagReading,
  ListedGroup,
  Listing,
  Move,
  Outcome,
  OutgoingRecord,
  PreparedRecord,
  Preparing,
  RecordMatch,
  Scheduling,
  Seeking,
} from '@posthaste/contracts'
import { type EngineCapabilities, succeeded } from '@posthaste/contracts'
import type { Ask } from './calls.ts'
import type { Parcel } from './protocol/calls.ts'
import { receivedError, type SentError } from './protocol/errors.ts'
import type { SentPrepared, SentPreparedQuery } from './protocol/preparing.ts'
import { refusalOf } from './refusals.ts'
import type { ServerTime } from './server-time.ts'

/** Outcomes as parcels have them: null for what went well. */
type SentOutcomes = readonly (SentError | null)[]

function outcomesOf(parcels: readonly Parcel[]): readonly Outcome[] {
  return parcels.flatMap(({ head }) =>
    (head as SentOutcomes).map((error) => (error === null ? succeeded : { ok: false, error: receivedError(error) })),
  )
}

function headOf<T>(parcels: readonly Parcel[]): T {
  return parcels[0]?.head as T
}

/** A record with its times by the broker's clock. */
function away(record: OutgoingRecord, time: ServerTime): OutgoingRecord {
  if (time.aheadMs === 0 || record.dueAtMs === undefined) return record
  return { ...record, dueAtMs: time.atServer(record.dueAtMs) }
}

function home(record: OutgoingRecord, time: ServerTime): OutgoingRecord {
  if (time.aheadMs === 0 || record.dueAtMs === undefined) return record
  return { ...record, dueAtMs: time.atHome(record.dueAtMs) }
}

/** Looking for what is due, and taking it back. */
export function scheduling(ask: Ask, time: ServerTime): Scheduling {
  return {
    cancel: async (channel, id) => headOf<boolean>(await ask('cancel', { channel, id })),
    async dueAt(channel, id) {
      const atMs = headOf<number | null>(await ask('dueAt', { channel, id }, { repeatable: true }))
      return atMs === null ? undefined : time.atHome(atMs)
    },
  }
}

/** Bytes of records that go with one call. */
const callBytesEnough = 1024 * 1024

/** A page as parcels have it; its records follow in the same order. */
interface SentPage {
  readonly rows: readonly (readonly [position: string, storedAtMs: number])[]
  readonly next?: string | undefined
}

/** Looking into channels. */
export function browsing(ask: Ask, time: ServerTime): Browsing {
  return {
    async browse({ channel, after, limit, match }): Promise<BrowsePage> {
      const query = { channel, after, limit, match: match && matchAway(match, time) }
      const parcels = await ask('browse', query, { repeatable: true })
      const { rows, next } = headOf<SentPage>(parcels)
      const records = rows.map(([position, storedAtMs], at) => ({
        position,
        storedAtMs: time.atHome(storedAtMs),
        record: home(parcels[0]!.records[at]!, time),
      }))
      return { records, next }
    },
    async move(channel, moves) {
      const outcomes: Outcome[] = []
      for (const share of sharesOf(moves)) {
        const positions = share.map(({ position, publish }) => [position, publish.length])
        const records = share.flatMap(({ publish }) => publish.map((record) => away(record, time)))
        outcomes.push(...outcomesOf(await ask('move', { channel, moves: positions }, { records })))
      }
      return outcomes
    },
  }
}

function matchAway(match: RecordMatch, time: ServerTime): RecordMatch {
  const { sinceMs, untilMs } = match
  return {
    ...match,
    sinceMs: sinceMs === undefined ? undefined : time.atServer(sinceMs),
    untilMs: untilMs === undefined ? undefined : time.atServer(untilMs),
  }
}

/** Moves that go together: each stands for itself, so a call takes as many as are a message. */
function* sharesOf(moves: readonly Move[]): Iterable<readonly Move[]> {
  let [share, bytes]: [Move[], number] = [[], 0]
  for (const move of moves) {
    share.push(move)
    for (const { body } of move.publish) bytes += body.byteLength
    if (bytes < callBytesEnough) continue
    yield share
    share = []
    bytes = 0
  }
  if (share.length > 0 || moves.length === 0) yield share
}

/** Telling channels and groups. */
export function listing(ask: Ask): Listing {
  return {
    channels: async () => headOf<readonly ChannelSpec[]>(await ask('channels', {}, { repeatable: true })),
    groups: async (channel) => headOf<readonly ListedGroup[]>(await ask('groups', { channel }, { repeatable: true })),
  }
}

/** Figures of groups. */
export function lagReading(ask: Ask): LagReading {
  return {
    lag: async (channel, group) => headOf<Lag>(await ask('lag', { channel, group }, { repeatable: true })),
  }
}

/** Moving groups. */
export function seeking(ask: Ask, time: ServerTime): Seeking {
  return {
    async seek(channel, group, target) {
      const away = 'atMs' in target ? { atMs: time.atServer(target.atMs) } : target
      await ask('seek', { channel, group, target: away }, { repeatable: true })
    },
  }
}

/** Half messages. */
export function preparing(ask: Ask, time: ServerTime, capabilities: () => EngineCapabilities): Preparing {
  // JSON has no infinity.
  const atServer = (atMs: number): number | null => (Number.isFinite(atMs) ? time.atServer(atMs) : null)
  const one = (outcomes: readonly Outcome[]): Outcome => outcomes[0] ?? succeeded
  return {
    async prepare(record, checkAtMs) {
      const refusal = refusalOf(record, capabilities())
      if (refusal !== undefined) return refusal
      const records = [away(record, time)]
      return one(outcomesOf(await ask('prepare', { checkAtMs: atServer(checkAtMs) }, { records })))
    },
    commit: async (names) => outcomesOf(await ask('commit', { names })),
    rollback: async (names) => outcomesOf(await ask('rollback', { names })),
    postpone: async (name, checkAtMs) =>
      one(outcomesOf(await ask('postpone', { name, checkAtMs: atServer(checkAtMs) }))),
    async prepared(channel, limit) {
      const all = new Map<string, PreparedRecord>()
      let after: SentPreparedQuery['after']
      for (;;) {
        const query: SentPreparedQuery = { channel, limit: limit - all.size, after }
        const [parcel] = await ask('prepared', query, { repeatable: true })
        const { rows, isAll } = parcel!.head as SentPrepared
        for (const each of preparedOf(rows, parcel!.records, time)) {
          // One that was postponed while it was being told comes again, in its new place.
          all.delete(each.record.id)
          all.set(each.record.id, each)
        }
        const last = parcel!.records.at(-1)
        if (isAll || last === undefined) return [...all.values()]
        after = { id: last.id, checkAtMs: rows.at(-1)![1] }
      }
    },
  }
}

function preparedOf(
  rows: SentPrepared['rows'],
  records: readonly OutgoingRecord[],
  time: ServerTime,
): readonly PreparedRecord[] {
  return rows.map(([preparedAtMs, checkAtMs, checks], at) => ({
    record: home(records[at]!, time),
    preparedAtMs: time.atHome(preparedAtMs),
    checkAtMs: checkAtMs === null ? Number.POSITIVE_INFINITY : time.atHome(checkAtMs),
    checks,
  }))
}
