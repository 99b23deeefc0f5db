import type { Clock, Log } from '@posthaste/contracts'
import { limitsOf } from '../../src/connection/limits.ts'
import type { LinkLimits } from '../../src/connection/options.ts'
import type { Pipe, PipeEvents } from '../../src/connection/pipe.ts'
import { ChunkPool } from '../../src/wire/batch.ts'

/** What should not have been. */
export class Fault extends Error {
  override readonly name = 'Fault'
}

/** A clock that goes by hand. Nothing here has timers: connections are swept. */
export class HandClock implements Clock {
  #atMs = 0

  nowMs(): number {
    return this.#atMs
  }

  monotonicMs(): number {
    return this.#atMs
  }

  setTimer(): never {
    throw new Fault('a timer was set')
  }

  advance(byMs: number): void {
    this.#atMs += byMs
  }
}

const nothing = (): void => {}

/** Nobody reads it, but that something expected was logged as an error. */
export const silentLog: Log = { debug: nothing, info: nothing, warn: nothing, error: nothing }

/** Small enough that inputs reach them. */
const limits: LinkLimits = {
  messageBytesMax: 40_000,
  unfinishedBytesMax: 60_000,
  unconsumedBytesMax: 65_536,
  unsentBytesMax: 1_048_576,
  streamWindow: 32_768,
  connectionWindow: 131_072,
  streamsMax: 5,
  cancelsMax: 4,
  pingsMax: 3,
}

/** What the connections of either side share. */
export function shareOf(clock: Clock, own: LinkLimits = limits) {
  return { clock, log: silentLog, pool: new ChunkPool(), limits: limitsOf(own) }
}

/** A pipe whose other end is the one who made it. */
export class OpenPipe implements Pipe {
  readonly name = 'fuzz'
  readonly unsentBytes = 0
  events: PipeEvents | undefined
  closed = false
  readonly #write: (piece: Uint8Array) => boolean

  /** @param write takes what the connection writes; whether there is room for more */
  constructor(write: (piece: Uint8Array) => boolean) {
    this.#write = write
  }

  attach(events: PipeEvents): void {
    this.events = events
  }

  write(pieces: readonly Uint8Array[]): boolean {
    if (this.closed) throw new Fault('written after the end')
    let room = true
    for (const piece of pieces) room = this.#write(piece) && room
    return room
  }

  end(): void {
    this.closed = true
  }

  destroy(): void {
    this.closed = true
  }
}
