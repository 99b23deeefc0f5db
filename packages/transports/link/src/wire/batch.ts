/*
 * Memory for what is written within one turn of the event loop. A socket may keep what it was given until the system has
 * taken it, so bytes once handed out are never written again; what is left of a chunk goes to whoever writes next, so
 * that a connection that is idle holds nothing.
 */

const chunkBytesDefault = 64 * 1024
const restBytesLeast = 1024
const restsMax = 16
/** What each of many connections gets that write within one turn: mostly little, and not all of their rests are kept. */
const crowdedBytes = 4 * 1024

/** Lends memory to batches. One serves any number of connections. */
export class ChunkPool {
  readonly #chunkBytes: number
  readonly #rests: Buffer[] = []
  /** How many were taken since one was last given back: so many batches are being written. */
  #taken = 0

  constructor(chunkBytes: number = chunkBytesDefault) {
    this.#chunkBytes = chunkBytes
  }

  /** Memory of at least so many bytes that nobody else uses. */
  take(bytesLeast: number): Buffer {
    this.#taken += 1
    const rest = this.#rests.pop()
    // One that is too small is let go, lest small ones fill all the places.
    if (rest !== undefined && rest.length >= bytesLeast) return rest
    const isCrowded = this.#taken > restsMax
    return Buffer.allocUnsafeSlow(Math.max(isCrowded ? crowdedBytes : this.#chunkBytes, bytesLeast))
  }

  /** Gives back what was not written. */
  give(rest: Buffer): void {
    this.#taken = 0
    if (rest.length >= restBytesLeast && this.#rests.length < restsMax) this.#rests.push(rest)
  }
}

const nothing = Buffer.alloc(0)

/** Bytes that leave together: small parts copied into lent memory one after the other, large ones by reference. */
export class Batch {
  /** Where to write, from the offset that {@link reserve} returns. Valid until the next call. */
  memory: Buffer = nothing
  /** Bytes so far. */
  bytes = 0
  readonly #pool: ChunkPool
  #start = 0
  #end = 0
  #pieces: Uint8Array[] = []

  constructor(pool: ChunkPool) {
    this.#pool = pool
  }

  /** Makes room for exactly so many bytes, all of which the caller writes at once, from the offset returned. */
  reserve(bytes: number): number {
    if (this.memory.length - this.#end < bytes) this.#renew(bytes)
    const at = this.#end
    this.#end = at + bytes
    this.bytes += bytes
    return at
  }

  /** Appends bytes without copying them; nobody changes them before they have left. */
  refer(piece: Uint8Array): void {
    this.#seal()
    this.#pieces.push(piece)
    this.bytes += piece.length
  }

  /** All of it, for one write; the batch is empty then. */
  take(): Uint8Array[] {
    this.#seal()
    if (this.memory.length > this.#end) this.#pool.give(this.memory.subarray(this.#end))
    const pieces = this.#pieces
    this.memory = nothing
    this.#start = 0
    this.#end = 0
    this.#pieces = []
    this.bytes = 0
    return pieces
  }

  #seal(): void {
    if (this.#end > this.#start) this.#pieces.push(this.memory.subarray(this.#start, this.#end))
    this.#start = this.#end
  }

  #renew(bytes: number): void {
    this.#seal()
    if (this.memory.length > this.#end) this.#pool.give(this.memory.subarray(this.#end))
    this.memory = this.#pool.take(bytes)
    this.#start = 0
    this.#end = 0
  }
}
