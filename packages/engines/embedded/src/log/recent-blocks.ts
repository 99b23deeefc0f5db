import { RenewingMap } from '@posthaste/contracts'
import type { Block, RecentBlock } from './block.ts'

/** Blocks of the store that are kept open. */
const openMax = 8

/**
 * The newest blocks of all channels, so that groups at the head of a log are fed from memory. Bounded in bytes over all
 * channels; the oldest goes first, whoever still wants it reads the store.
 */
export class RecentBlocks {
  readonly #bytesMax: number
  readonly #blocks = new RenewingMap<string, RecentBlock>()
  #bytes = 0
  /** Blocks of the store that were looked into last: of those that wait for their retries, many stand in one. */
  #open: { readonly logId: number; readonly block: Block }[] = []
  #openedAt = -1

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(logId: number, block: RecentBlock): void {
    this.#blocks.set(nameOf(logId, block.first), block)
    this.#bytes += block.bytes
    for (const [name, oldest] of this.#blocks.entries()) {
      if (this.#bytes <= this.#bytesMax) break
      this.#blocks.delete(name)
      this.#bytes -= oldest.bytes
    }
  }

  get(logId: number, first: number): RecentBlock | undefined {
    return this.#blocks.get(nameOf(logId, first))
  }

  /** A block of the store that was looked into lately and holds this offset, unless there was a commit since. */
  openAt(logId: number, offset: number, commits: number): Block | undefined {
    if (commits !== this.#openedAt) return undefined
    return this.#open.find(
      ({ logId: id, block: { first, count } }) => id === logId && first <= offset && offset < first + count,
    )?.block
  }

  /** Remembers a block of the store until the next commit, which may remove it. */
  keepOpen(logId: number, block: Block, commits: number): void {
    if (commits !== this.#openedAt) this.#open = []
    this.#openedAt = commits
    if (this.#open.length === openMax) this.#open.shift()
    this.#open.push({ logId, block })
  }

  drop(logId: number, first: number): void {
    const name = nameOf(logId, first)
    const block = this.#blocks.get(name)
    if (block === undefined) return
    this.#blocks.delete(name)
    this.#bytes -= block.bytes
  }
}

function nameOf(logId: number, first: number): string {
  return `${logId}:${first}`
}
