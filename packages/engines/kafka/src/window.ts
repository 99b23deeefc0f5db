/** How far beyond its first undone record a group may be, in offsets: as many as the metadata of a commit can tell of. */
export const windowMax = 20_000

const capacity = 32_768
const mask = capacity - 1

/** Where a group stands in a partition. */
export interface GroupPosition {
  /** Everything before it is done. */
  readonly offset: number
  /** What is done at it or behind it, a bit for each offset from `offset` on, the lowest first. */
  readonly done: Uint8Array
  /** What was addressed to the group before this offset is done, wherever the group was moved to. */
  readonly addressedFrom: number
}

/** Which records of a partition are done: all before the watermark, and some of the window behind it. */
export class Window {
  readonly addressedFrom: number
  readonly #bits = new Uint8Array(capacity)
  #watermark: number
  /** After the last offset that is known to be done or undone; what has not been read is not done. */
  #end: number

  constructor({ offset, done, addressedFrom }: GroupPosition) {
    this.addressedFrom = addressedFrom
    this.#watermark = offset
    this.#end = offset
    for (let at = 0; at < done.length * 8; at += 1)
      if (((done[at >> 3] as number) & (1 << (at & 7))) !== 0) this.complete(offset + at)
  }

  /** Everything before it is done. */
  get watermark(): number {
    return this.#watermark
  }

  /** How many are done behind the watermark. */
  get doneBehind(): number {
    let count = 0
    for (let offset = this.#watermark; offset < this.#end; offset += 1) count += this.#bits[offset & mask] as number
    return count
  }

  isDone(offset: number): boolean {
    return offset < this.#watermark || (offset < this.#end && this.#bits[offset & mask] === 1)
  }

  /** Whether the window reaches so far. */
  fits(offset: number): boolean {
    return offset < this.#watermark + windowMax
  }

  /** Marks one as done, and moves the watermark over all that is. */
  complete(offset: number): void {
    if (offset < this.#watermark) return
    if (offset >= this.#end) this.#end = offset + 1
    this.#bits[offset & mask] = 1
    while (this.#watermark < this.#end && this.#bits[this.#watermark & mask] === 1) {
      this.#bits[this.#watermark & mask] = 0
      this.#watermark += 1
    }
  }

  /**
   * Marks a stretch as done: offsets that have no record for the group.
   * @returns how far that went; less than `to` where the window does not reach so far
   */
  completeRange(from: number, to: number): number {
    if (from <= this.#watermark && to > this.#watermark) {
      this.#jump(to)
      return to
    }
    const until = Math.min(to, this.#watermark + windowMax)
    for (let offset = from; offset < until; offset += 1) this.complete(offset)
    return Math.max(from, until)
  }

  /** Everything before `to` is done, however far that is. */
  #jump(to: number): void {
    const clearTo = Math.min(to, this.#end, this.#watermark + capacity)
    for (let offset = this.#watermark; offset < clearTo; offset += 1) this.#bits[offset & mask] = 0
    this.#watermark = to
    this.#end = Math.max(this.#end, to)
    while (this.#watermark < this.#end && this.#bits[this.#watermark & mask] === 1) {
      this.#bits[this.#watermark & mask] = 0
      this.#watermark += 1
    }
  }

  /** Where the group stands, as if `also` were done. */
  position(also: readonly number[] = []): GroupPosition {
    const { addressedFrom } = this
    const extra = new Set(also)
    const end = extra.size === 0 ? this.#end : Math.max(this.#end, ...also.map((each) => each + 1))
    const isDone = (offset: number) => this.isDone(offset) || extra.has(offset)
    let offset = this.#watermark
    while (offset < end && isDone(offset)) offset += 1
    const done = new Uint8Array(Math.ceil(Math.max(0, end - offset) / 8))
    for (let at = offset; at < end; at += 1) {
      const index = (at - offset) >> 3
      if (isDone(at)) done[index] = (done[index] as number) | (1 << ((at - offset) & 7))
    }
    return { offset, done, addressedFrom }
  }
}

const formatVersion = '1'

/**
 * A position as the metadata of a commit has it: text of at most 4,096 bytes, which is what a server takes by default.
 * Empty where there is nothing to tell, so that groups that other clients have moved are read as well.
 */
export function positionText({ done, addressedFrom }: GroupPosition): string {
  let length = done.length
  while (length > 0 && done[length - 1] === 0) length -= 1
  if (length === 0 && addressedFrom === 0) return ''
  return `${formatVersion};${addressedFrom};${Buffer.from(done.subarray(0, length)).toString('base64')}`
}

/** What a commit says; metadata that is not ours says nothing. */
export function positionFrom(offset: number, metadata: string | null | undefined): GroupPosition {
  const [version, addressedFrom, bits = ''] = (metadata ?? '').split(';')
  if (version !== formatVersion || !/^\d+$/.test(addressedFrom ?? ''))
    return { offset, done: new Uint8Array(0), addressedFrom: 0 }
  return { offset, done: Buffer.from(bits, 'base64'), addressedFrom: Number(addressedFrom) }
}
