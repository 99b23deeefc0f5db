import { randomBytes } from 'node:crypto'

/**
 * The server numbers nothing that a client could see, so each record is stamped when it is published: the time, a counter
 * and who stamped it. In text order as far as the clocks of the publishers agree.
 */
export class Stamps {
  readonly #instance = randomBytes(4).toString('hex')
  #lastMs = 0
  #count = 0

  next(nowMs: number): string {
    if (nowMs > this.#lastMs) {
      this.#lastMs = Math.floor(nowMs)
      this.#count = 0
    }
    return `${time(this.#lastMs)}${(this.#count++).toString(36).padStart(5, '0')}-${this.#instance}`
  }
}

/** The position of what came without one: from the second it was published in and a hash of what it says. */
export function foreignPosition(storedAtMs: number, hash: string): string {
  return `${time(storedAtMs)}00000-x${hash.slice(0, 7)}`
}

/** Whether a position was made of what a message says, so that equal messages have equal ones. */
export function isForeign(position: string): boolean {
  return position.includes('-x')
}

/** Whether text is a position of this engine. */
export function isPosition(text: string): boolean {
  return /^[0-9a-z]{14}-[0-9a-fx][0-9a-f]{7}$/.test(text)
}

/** When a record of this position was stamped, milliseconds since the epoch. */
export function stampedAtMs(position: string): number {
  return Number.parseInt(position.slice(0, timeLength), 36)
}

const timeLength = 9

function time(ms: number): string {
  return Math.max(0, ms).toString(36).padStart(timeLength, '0')
}
