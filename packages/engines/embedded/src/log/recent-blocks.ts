import type { RecentBlock } from './block.ts'

/**
 * The newest blocks of all channels, so that groups at the head of a log are fed from memory. Bounded in bytes over all
 * channels; the oldest goes first, whoever still wants it reads the store.
 */
export class RecentBlocks {
  readonly #bytesMax: number
  readonly #blocks = new Map<string, RecentBlock>()
  #bytes = 0

  constructor(bytesMax: number) {
    this.#bytesMax = bytesMax
  }

  add(logId: number, block: RecentBlock): void {
    this.#blocks.set(nameOf(logId, block.first), block)
    this.#bytes += block.bytes
    for (const [name, oldest] of this.#blocks) {
      if (this.#bytes <= this.#bytesMax) break
      this.#blocks.delete(name)
      this.#bytes -= oldest.bytes
    }
  }

  get(logId: number, first: number): RecentBlock | undefined {
    return this.#blocks.get(nameOf(logId, first))
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
