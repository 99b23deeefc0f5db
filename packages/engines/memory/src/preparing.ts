import {
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type PreparedName,
  type PreparedRecord,
  type Preparing,
  succeeded,
} from '@posthaste/contracts'
import type { State } from './store.ts'

const limitMax = 10_000

/** Prepared records; `current` gives the state, or rejects calls on a closed engine. */
export function preparing(current: () => State): Preparing {
  return {
    async prepare(record, checkAtMs) {
      return prepare(current(), record, checkAtMs)
    },
    async commit(names) {
      const state = current()
      return names.map((name) => resolve(state, name, ({ record }) => state.publish(record)))
    },
    async rollback(names) {
      const state = current()
      return names.map((name) => resolve(state, name, () => succeeded))
    },
    async postpone(name, checkAtMs) {
      refuseTime(checkAtMs)
      const waiting = current().channels.get(name.channel)?.prepared
      const prepared = waiting?.get(name.id)
      if (prepared === undefined) return unknown(name)
      waiting?.set(name.id, { ...prepared, checkAtMs, checks: prepared.checks + 1 })
      return succeeded
    },
    async prepared(channel, limit) {
      return list(current(), channel, limit)
    },
  }
}

function prepare(state: State, record: OutgoingRecord, checkAtMs: number): Outcome {
  refuseTime(checkAtMs)
  const error = state.refusal(record)
  if (error !== undefined) return { ok: false, error }
  const waiting = state.channels.get(record.channel)?.prepared
  if (waiting?.has(record.id)) return failed('CONFLICT', record, 'it is prepared already')
  waiting?.set(record.id, { record, preparedAtMs: state.nowMs(), checkAtMs, checks: 0 })
  return succeeded
}

/** Ends a preparation, unless what is to be done with the record fails. */
function resolve(state: State, name: PreparedName, decide: (prepared: PreparedRecord) => Outcome): Outcome {
  const waiting = state.channels.get(name.channel)?.prepared
  const prepared = waiting?.get(name.id)
  if (prepared === undefined) return unknown(name)
  const outcome = decide(prepared)
  if (outcome.ok) waiting?.delete(name.id)
  return outcome
}

function list(state: State, name: string, limit: number): readonly PreparedRecord[] {
  const channel = state.channels.get(name)
  if (channel === undefined) throw new PosthasteError('NOT_FOUND', `channel ${name}: it is not declared`)
  if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
    throw new PosthasteError('INVALID_ARGUMENT', `prepared of ${name}: limit ${limit} is not within 1 to ${limitMax}`)
  }
  return [...channel.prepared.values()].sort(sooner).slice(0, limit)
}

/** Not by their difference: that of two times that are `Infinity` is no number. */
function sooner(a: PreparedRecord, b: PreparedRecord): number {
  if (a.checkAtMs === b.checkAtMs) return 0
  return a.checkAtMs < b.checkAtMs ? -1 : 1
}

function refuseTime(checkAtMs: number): void {
  if (Number.isNaN(checkAtMs)) throw new PosthasteError('INVALID_ARGUMENT', 'prepared record: checkAtMs is no time')
}

const unknown = (name: PreparedName) => failed('NOT_FOUND', name, 'it is resolved, or never was prepared')

function failed(code: 'CONFLICT' | 'NOT_FOUND', { channel, id }: PreparedName, why: string): Outcome {
  return { ok: false, error: new PosthasteError(code, `prepared record ${id} for ${channel}: ${why}`) }
}
