import type { Pipe, PipeEvents } from '../src/connection/pipe.ts'

/** How a pipe in memory behaves. */
export interface PipeShape {
  /** Bytes on their way from which on the sender is told to wait. */
  readonly capacity?: number
  /** Into chunks of how many bytes the way cuts what goes over it; called for each. */
  readonly chunkBytes?: () => number
}

/** One end of a pipe in memory. What is written arrives in turns of its own, as with a socket. */
export class MemoryPipe implements Pipe {
  readonly name: string
  other!: MemoryPipe
  /** While set, nothing that was written here arrives. */
  held = false
  /** Whether this end was closed from here, and how. */
  ended = false
  destroyed = false
  readonly #shape: PipeShape
  readonly #onWay: Uint8Array[] = []
  #events: PipeEvents | undefined
  #bytesOnWay = 0
  #full = false
  #scheduled = false
  #toldClosed = false

  constructor(name: string, shape: PipeShape) {
    this.name = name
    this.#shape = shape
  }

  get unsentBytes(): number {
    return this.#bytesOnWay
  }

  attach(events: PipeEvents): void {
    this.#events = events
  }

  write(pieces: readonly Uint8Array[]): boolean {
    // Copied, so that a writer that reuses its memory too early is found out.
    for (const piece of pieces) this.#onWay.push(Uint8Array.from(piece))
    this.#bytesOnWay += pieces.reduce((sum, piece) => sum + piece.length, 0)
    this.#full = this.#bytesOnWay >= (this.#shape.capacity ?? Number.POSITIVE_INFINITY)
    this.#schedule()
    return !this.#full
  }

  end(): void {
    this.ended = true
    this.#schedule()
  }

  destroy(): void {
    this.destroyed = true
    setImmediate(() => {
      this.#close()
      this.other.#close()
    })
  }

  /** Lets so many of the bytes arrive that are held back, as when the other side reads a little. */
  trickle(bytes: number): void {
    const all = Buffer.concat(this.#onWay)
    this.#onWay.splice(0, this.#onWay.length, all.subarray(bytes))
    this.#bytesOnWay = Math.max(0, all.length - bytes)
    this.other.#events?.received(Uint8Array.from(all.subarray(0, bytes)))
  }

  /** Lets what was held back go on. */
  release(): void {
    this.held = false
    this.#schedule()
  }

  #schedule(): void {
    if (this.#scheduled || this.held) return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      this.#carry()
    })
  }

  #carry(): void {
    const all = Buffer.concat(this.#onWay)
    this.#onWay.length = 0
    this.#bytesOnWay = 0
    for (let at = 0; at < all.length; ) {
      const bytes = Math.max(1, this.#shape.chunkBytes?.() ?? 65_536)
      // Of a size and memory of its own each, as the chunks of a socket are.
      this.other.#events?.received(Uint8Array.from(all.subarray(at, at + bytes)))
      at += bytes
    }
    if (this.#full) {
      this.#full = false
      this.#events?.drained()
    }
    if (this.ended && this.#bytesOnWay === 0) {
      this.other.#close()
      this.#close()
    }
  }

  #close(): void {
    if (this.#toldClosed) return
    this.#toldClosed = true
    this.#events?.closed(undefined)
  }
}

/** A pipe's two ends. */
export function pipePair(shape: PipeShape = {}): { readonly client: MemoryPipe; readonly server: MemoryPipe } {
  const client = new MemoryPipe('the server', shape)
  const server = new MemoryPipe('a client', shape)
  client.other = server
  server.other = client
  return { client, server }
}

/** Resolves when nothing is on its way any more: each step of a connection takes a turn or two. */
export async function settled(turns = 20): Promise<void> {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setImmediate(resolve))
}
