import { PosthasteError } from '@posthaste/contracts'

/** Reads one message. @throws BODY_MALFORMED at the first byte that makes no sense */
export class Reader {
  readonly buffer: Buffer
  at = 0

  constructor(message: Uint8Array) {
    this.buffer = Buffer.isBuffer(message)
      ? message
      : Buffer.from(message.buffer, message.byteOffset, message.byteLength)
  }

  get isAtEnd(): boolean {
    return this.at >= this.buffer.length
  }

  byte(): number {
    if (this.at >= this.buffer.length) throw malformed('it ends too soon')
    return this.buffer[this.at++]!
  }

  varint(): number {
    const { buffer } = this
    const first = buffer[this.at]
    if (first !== undefined && first < 0x80) {
      this.at++
      return first
    }
    let [value, factor] = [0, 1]
    for (;;) {
      const byte = this.byte()
      value += (byte & 0x7f) * factor
      if (value > Number.MAX_SAFE_INTEGER) throw malformed('a number is too large')
      if (byte < 0x80) return value
      factor *= 0x80
    }
  }

  double(): number {
    const from = this.#pass(8)
    return this.buffer.readDoubleBE(from)
  }

  /** Text of so many bytes. */
  text(bytes: number): string {
    const from = this.#pass(bytes)
    return this.buffer.toString('utf8', from, this.at)
  }

  /** Text of so many bytes, each a letter. */
  ascii(bytes: number): string {
    const from = this.#pass(bytes)
    return this.buffer.toString('latin1', from, this.at)
  }

  sizedText(): string {
    return this.text(this.varint())
  }

  /** A view of the message. */
  bytes(count: number): Uint8Array {
    const from = this.#pass(count)
    return this.buffer.subarray(from, this.at)
  }

  #pass(bytes: number): number {
    const from = this.at
    if (bytes > this.buffer.length - from) throw malformed('it ends too soon')
    this.at = from + bytes
    return from
  }
}

/** A message of the other side that makes no sense. */
export function malformed(why: string): PosthasteError {
  return new PosthasteError('BODY_MALFORMED', `a message of the broker's protocol cannot be read: ${why}`)
}
