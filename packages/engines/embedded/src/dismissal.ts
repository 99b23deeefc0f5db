import type { Committer, Participant } from './storage/committer.ts'
import { idKey, offsetKey } from './storage/keys.ts'
import type { Store, Transaction } from './storage/store.ts'

/** Ids that nothing goes by any more. */
export interface Dismissed {
  readonly cursors: readonly number[]
  readonly logs: readonly number[]
}

/** What dismissal needs from the engine. */
export interface DismissalContext {
  readonly store: Store
  readonly committer: Committer
}

/** Rows removed per transaction, so that a group that held a hundred thousand records does not make one long. */
const removedMax = 1_024
/** To look for rows where there are none takes as long as to remove so many. */
const lookCost = 4

/**
 * Removes what stands under ids that nothing goes by any more, once what has stood there can write nothing more. Until then,
 * and over a crash, a row of the topology remembers them. What is scheduled for one of the logs goes when it is due.
 */
export class Dismissal implements Participant {
  readonly #context: DismissalContext
  readonly #queue: { readonly dismissed: Dismissed; readonly note: string }[] = []

  constructor(context: DismissalContext) {
    this.#context = context
  }

  /** @param note key of the row that remembers the ids; it goes last */
  add(dismissed: Dismissed, note: string): void {
    this.#queue.push({ dismissed, note })
    this.#context.committer.join(this)
  }

  write(tx: Transaction): void {
    for (let room = removedMax; room > 0 && this.#queue.length > 0; ) {
      const { dismissed, note } = this.#queue[0]!
      const left = this.#clear(tx, dismissed, room)
      if (left === undefined) return
      tx.remove('topology', Buffer.from(note))
      this.#queue.shift()
      room = left
    }
  }

  committed(): void {
    if (this.#queue.length > 0) this.#context.committer.join(this)
  }

  /** How many more rows may be removed; undefined if not all were. */
  #clear(tx: Transaction, dismissed: Dismissed, room: number): number | undefined {
    let left = room
    for (const { table, id } of tablesOf(dismissed)) {
      const limit = Math.max(1, left)
      const keys = this.#context.store.keys(table, { from: offsetKey(id, 0), to: offsetKey(id + 1, 0), limit })
      for (const key of keys) tx.remove(table, key)
      if (keys.length === limit) return undefined
      left -= keys.length + lookCost
    }
    for (const id of dismissed.cursors) tx.remove('cursors', idKey(id))
    for (const id of dismissed.logs) tx.remove('tails', idKey(id))
    return left
  }
}

/** Where there may be many rows of an id. */
function* tablesOf({ cursors, logs }: Dismissed): Generator<{ table: 'settled' | 'entries' | 'blocks'; id: number }> {
  for (const id of cursors) {
    yield { table: 'settled', id }
    yield { table: 'entries', id }
  }
  for (const id of logs) yield { table: 'blocks', id }
}
