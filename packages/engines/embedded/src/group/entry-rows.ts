import type { Committer, Participant } from '../storage/committer.ts'
import { offsetKey } from '../storage/keys.ts'
import type { Transaction } from '../storage/store.ts'
import type { Entry } from './entry.ts'
import { encodeEntry } from './entry-codec.ts'

/** What the store is to know of a group's entries with the next transaction, and whose hand-over waits for that. */
export class EntryRows implements Participant {
  readonly #committer: Committer
  readonly #onDurable: () => void
  /** A new one for each transaction, as that of a cursor is. */
  #changed = new Set<Entry>()
  readonly #removed: Buffer[] = []
  /** Entries whose hand-over is to be made durable, is being made, and has been. */
  #marking: Entry[] = []
  #writing: Entry[] = []
  readonly #marked: Entry[] = []

  constructor(committer: Committer, onDurable: () => void) {
    this.#committer = committer
    this.#onDurable = onDurable
  }

  /** Hand-overs to be made durable with the next transaction. */
  get marking(): number {
    return this.#marking.length
  }

  /** Whether any hand-over waits to be durable, or is and waits for a member. */
  get pending(): boolean {
    return this.#marking.length + this.#writing.length + this.#marked.length > 0
  }

  /** Whether one of them is of a suspect. */
  get hasSuspect(): boolean {
    const suspect = (entry: Entry): boolean => entry.isolated
    return this.#marking.some(suspect) || this.#writing.some(suspect) || this.#marked.some(suspect)
  }

  change(entry: Entry): void {
    entry.stored = true
    this.#changed.add(entry)
    this.#committer.join(this)
  }

  remove(entry: Entry): void {
    this.#changed.delete(entry)
    if (!entry.stored) return
    this.#removed.push(offsetKey(entry.source.cursor.id, entry.offset))
    this.#committer.join(this)
  }

  /** Has the store know that an entry is handed over, before it is. */
  mark(entry: Entry): void {
    entry.inHand = true
    this.#marking.push(entry)
    this.change(entry)
  }

  /** The first entry whose hand-over is durable. */
  firstMarked(): Entry | undefined {
    return this.#marked[0]
  }

  shiftMarked(): void {
    this.#marked.shift()
  }

  /** It is not handed over after all. */
  unmark(entry: Entry): void {
    entry.inHand = false
    this.change(entry)
  }

  /** None of them is handed over after all. */
  unmarkAll(): readonly Entry[] {
    const all = [...this.#marked.splice(0), ...this.#writing.splice(0), ...this.#marking.splice(0)]
    for (const entry of all) this.unmark(entry)
    return all
  }

  /** Those of a key are not handed over after all. */
  unmarkKey(key: string | undefined): readonly Entry[] {
    if (key === undefined || !this.pending) return []
    const found: Entry[] = []
    for (const list of [this.#marked, this.#writing, this.#marking]) {
      const own = list.filter((entry) => entry.key === key)
      if (own.length === 0) continue
      const others = list.filter((entry) => entry.key !== key)
      list.splice(0, list.length, ...others)
      found.push(...own)
    }
    for (const entry of found) this.unmark(entry)
    return found
  }

  write(tx: Transaction): void {
    for (const key of this.#removed) tx.remove('entries', key)
    this.#removed.length = 0
    for (const entry of this.#changed)
      tx.put('entries', offsetKey(entry.source.cursor.id, entry.offset), encodeEntry(entry))
    this.#changed = new Set()
    this.#writing = this.#marking.splice(0)
  }

  committed(): void {
    for (const entry of this.#writing.splice(0)) this.#marked.push(entry)
    this.#onDurable()
  }
}
