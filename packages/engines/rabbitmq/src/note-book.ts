import type { Note, OutgoingRecord } from '@posthaste/contracts'

/** A version of a note, as a message of the control queue. */
export interface NoteMessage {
  readonly name: string
  readonly version: number
  /** When its name was first written, among the names of its range. */
  readonly order: number
  readonly deliveryTag: number
  readonly record: OutgoingRecord
}

/**
 * Which messages of a control queue are the notes that stand. A note is written by publishing the next version of it, and
 * the message of the one before is acknowledged once that is confirmed; it is erased by acknowledging all of them.
 */
export class NoteBook {
  readonly #notes = new Map<string, Entry>()
  readonly #ack: (deliveryTag: number) => void
  #lastOrder = 0
  #isClosed = false

  constructor(ack: (deliveryTag: number) => void) {
    this.#ack = ack
  }

  get size(): number {
    return this.#notes.size
  }

  /** Whether a message still stands of what is gone, as it has not come yet. */
  get isBehind(): boolean {
    return [...this.#notes.values()].some(awaits)
  }

  /** Takes all messages there are; of several versions the last stands. */
  load(messages: readonly NoteMessage[]): readonly Note[] {
    const standing = new Map<string, NoteMessage>()
    for (const message of messages) {
      const other = standing.get(message.name)
      const isLater = other === undefined || message.version >= other.version
      if (isLater) standing.set(message.name, message)
      const superseded = isLater ? other : message
      if (superseded !== undefined) this.#ack(superseded.deliveryTag)
    }
    const notes = [...standing.values()].sort((a, b) => a.order - b.order)
    for (const { name, version, order, deliveryTag } of notes) {
      this.#lastOrder = Math.max(this.#lastOrder, order)
      const copies = new Map([[version, deliveryTag]])
      this.#notes.set(name, { ...newEntry(), order, issued: version, gone: version - 1, copies })
    }
    return notes.map(({ name, record }) => ({ name, record }))
  }

  /** The next version of a note, about to be published. */
  next(name: string): { readonly version: number; readonly order: number } {
    const entry = this.#notes.get(name) ?? newEntry()
    // A name that was erased is first written again.
    if (entry.gone >= entry.issued) entry.order = ++this.#lastOrder
    entry.issued += 1
    entry.awaited.add(entry.issued)
    this.#notes.set(name, entry)
    return { version: entry.issued, order: entry.order }
  }

  /** A version is confirmed: those before it may go. */
  written(name: string, version: number): void {
    this.#let(name, version - 1)
  }

  /**
   * The last version that was published when it was decided, and all before it, may go. Resolves when their messages are
   * acknowledged, those included that have not come yet; or the book is closed.
   */
  async erased(name: string, version: number): Promise<void> {
    this.#let(name, version)
    const entry = this.#notes.get(name)
    if (entry === undefined || this.#isClosed || !awaits(entry)) return
    await new Promise<void>((resolve) => entry.onCaughtUp.push(resolve))
  }

  /** Nothing comes any more. */
  close(): void {
    this.#isClosed = true
    for (const entry of this.#notes.values()) tellCaughtUp(entry)
  }

  /** The version that an erasure speaks of; 0 where there is none. */
  versionOf(name: string): number {
    return this.#notes.get(name)?.issued ?? 0
  }

  /** A version came. Tells whether it is one of this book. */
  arrived(name: string, version: number, deliveryTag: number): boolean {
    const entry = this.#notes.get(name)
    if (entry === undefined || !entry.awaited.delete(version)) return false
    entry.copies.set(version, deliveryTag)
    this.#let(name, entry.gone)
    return true
  }

  /** Gives up all messages, which come again: the server takes back what is kept for too long. */
  giveBack(): readonly number[] {
    const tags: number[] = []
    for (const { copies, awaited } of this.#notes.values()) {
      for (const [version, tag] of copies) {
        tags.push(tag)
        awaited.add(version)
      }
      copies.clear()
    }
    return tags.sort((a, b) => a - b)
  }

  #let(name: string, gone: number): void {
    const entry = this.#notes.get(name)
    if (entry === undefined) return
    entry.gone = Math.max(entry.gone, gone)
    for (const [version, tag] of entry.copies) {
      if (version > entry.gone) continue
      entry.copies.delete(version)
      this.#ack(tag)
    }
    if (!awaits(entry)) tellCaughtUp(entry)
    const isOver = entry.gone >= entry.issued && entry.copies.size === 0 && entry.awaited.size === 0
    if (isOver) this.#notes.delete(name)
  }
}

interface Entry {
  order: number
  /** The last version that was published. */
  issued: number
  /** Versions up to here do not stand. */
  gone: number
  /** Messages that are here, by version. */
  readonly copies: Map<number, number>
  /** Versions that were published and have not come yet. */
  readonly awaited: Set<number>
  /** Who waits until all that is gone has come. */
  readonly onCaughtUp: (() => void)[]
}

function newEntry(): Entry {
  return { order: 0, issued: 0, gone: 0, copies: new Map(), awaited: new Set(), onCaughtUp: [] }
}

/** Whether a version that is gone has not come yet. */
function awaits({ gone, awaited }: Entry): boolean {
  for (const version of awaited) if (version <= gone) return true
  return false
}

function tellCaughtUp({ onCaughtUp }: Entry): void {
  for (const resolve of onCaughtUp.splice(0)) resolve()
}
