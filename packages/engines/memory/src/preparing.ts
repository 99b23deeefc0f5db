import {
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type PreparedName,
  type PreparedRecord,
  type Preparing,
  succeeded,
} from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import type { State } from './store.ts'

const limitMax = 10_000

/** Prepared records; `current` rejects calls on a closed engine. */
export function preparing(current: () => void, state: State): Preparing {
  const prepared = new Preparations(state)
  return {
    async prepare(record, checkAtMs) {
      current()
      return prepared.add(record, checkAtMs)
    },
    async commit(names) {
      current()
      return names.map((name) => prepared.commit(name))
    },
    async rollback(names) {
      current()
      return names.map((name) => prepared.rollback(name))
    },
    async postpone(name, checkAtMs) {
      current()
      return prepared.postpone(name, checkAtMs)
    },
    async prepared(channel, limit) {
      current()
      return prepared.list(channel, limit)
    },
  }
}

/** What stands in the channels' `prepared` and what happens to it: each method is one step. */
class Preparations {
  readonly #state: State

  constructor(state: State) {
    this.#state = state
  }

  add(record: OutgoingRecord, checkAtMs: number): Outcome {
    refuseTime(checkAtMs)
    const error = this.#state.refusal(record)
    if (error !== undefined) return { ok: false, error }
    const waiting = this.#state.channels.get(record.channel)?.prepared
    if (waiting?.has(record.id)) return failed('CONFLICT', record, 'it is prepared already')
    waiting?.set(record.id, { record, preparedAtMs: this.#state.nowMs(), checkAtMs, checks: 0 })
    return succeeded
  }

  commit(name: PreparedName): Outcome {
    const { channel, found } = this.#find(name)
    if (found === undefined) return failed('NOT_FOUND', name, 'it is resolved, or never was prepared')
    const published = this.#state.publish(found.record)
    if (published.ok) channel?.prepared.delete(name.id)
    return published
  }

  rollback(name: PreparedName): Outcome {
    const { channel, found } = this.#find(name)
    if (found === undefined) return failed('NOT_FOUND', name, 'it is resolved, or never was prepared')
    channel?.prepared.delete(name.id)
    return succeeded
  }

  postpone(name: PreparedName, checkAtMs: number): Outcome {
    refuseTime(checkAtMs)
    const { channel, found } = this.#find(name)
    if (found === undefined) return failed('NOT_FOUND', name, 'it is resolved, or never was prepared')
    channel?.prepared.set(name.id, { ...found, checkAtMs, checks: found.checks + 1 })
    return succeeded
  }

  list(name: string, limit: number): readonly PreparedRecord[] {
    const channel = this.#state.channels.get(name)
    if (channel === undefined) throw new PosthasteError('NOT_FOUND', `channel ${name}: it is not declared`)
    if (!Number.isInteger(limit) || limit < 1 || limit > limitMax) {
      throw new PosthasteError('INVALID_ARGUMENT', `prepared of ${name}: limit ${limit} is not within 1 to ${limitMax}`)
    }
    // Not the difference: that of two times of Infinity is no number.
    const sooner = (a: PreparedRecord, b: PreparedRecord) =>
      a.checkAtMs === b.checkAtMs ? 0 : a.checkAtMs < b.checkAtMs ? -1 : 1
    return [...channel.prepared.values()].sort(sooner).slice(0, limit)
  }

  #find({ channel: name, id }: PreparedName): { channel: Channel | undefined; found: PreparedRecord | undefined } {
    const channel = this.#state.channels.get(name)
    return { channel, found: channel?.prepared.get(id) }
  }
}

function refuseTime(checkAtMs: number): void {
  if (Number.isNaN(checkAtMs)) throw new PosthasteError('INVALID_ARGUMENT', 'prepared record: checkAtMs is no time')
}

function failed(code: 'CONFLICT' | 'NOT_FOUND', { channel, id }: PreparedName, why: string): Outcome {
  return { ok: false, error: new PosthasteError(code, `prepared record ${id} for ${channel}: ${why}`) }
}
