import type { OutgoingRecord } from '@posthaste/contracts'

/** Consecutive records that were stored together. */
export interface Block {
  readonly first: number
  readonly count: number
  readonly storedAtMs: number
  /** Where its records stand among those of the log that this one follows: behind all below this offset. */
  readonly behind: number
  /** The record at an index, or undefined if it is damaged. */
  record(index: number): OutgoingRecord | undefined
}

/** A block whose records are still in memory, as they were published. */
export class RecentBlock implements Block {
  readonly first: number
  readonly storedAtMs: number
  readonly bytes: number
  readonly behind: number
  readonly #records: readonly OutgoingRecord[]

  constructor(
    block: { first: number; storedAtMs: number; bytes: number; behind: number },
    records: readonly OutgoingRecord[],
  ) {
    this.first = block.first
    this.storedAtMs = block.storedAtMs
    this.bytes = block.bytes
    this.behind = block.behind
    this.#records = records
  }

  get count(): number {
    return this.#records.length
  }

  record(index: number): OutgoingRecord | undefined {
    return this.#records[index]
  }
}
