/** A slab holds many messages, which are views of it: a buffer of its own for each would cost more than writing it. */
const slabBytes = 64 * 1024
/** Longer text is written faster by a native call. */
const shortUnits = 48
/** Room for any number. */
const varintBytesMax = 8

/** Writes messages one after the other. What `take` has given away is not touched again. */
export class Writer {
  #buffer = Buffer.allocUnsafe(slabBytes)
  #start = 0
  #at = 0

  /** Bytes of the message so far. */
  get length(): number {
    return this.#at - this.#start
  }

  /** Forgets what is written of this message. */
  discard(): void {
    this.#at = this.#start
  }

  /** Makes room for so many bytes; what follows, up to that, needs no further check. */
  reserve(bytes: number): void {
    if (this.#at + bytes <= this.#buffer.length) return
    const written = this.length
    const larger = Buffer.allocUnsafe(Math.max(slabBytes, 2 * (written + bytes)))
    this.#buffer.copy(larger, 0, this.#start, this.#at)
    this.#buffer = larger
    this.#start = 0
    this.#at = written
  }

  byte(value: number): void {
    this.reserve(1)
    this.#buffer[this.#at++] = value
  }

  /** A whole number from 0 to 2^53 - 1, seven bits at a time, the lowest first. */
  varint(value: number): void {
    this.reserve(varintBytesMax)
    let rest = value
    while (rest > 0x7f) {
      this.#buffer[this.#at++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#buffer[this.#at++] = rest
  }

  double(value: number): void {
    this.reserve(8)
    this.#at = this.#buffer.writeDoubleBE(value, this.#at)
  }

  /** Text without its length. @returns its bytes */
  text(text: string): number {
    const { length } = text
    this.reserve(3 * length)
    const start = this.#at
    if (length > shortUnits) this.#at += this.#buffer.write(text, start)
    else if (!this.#ascii(text)) this.#at = start + this.#buffer.write(text, start)
    return this.#at - start
  }

  /** Text of letters of one byte; false where it is not. */
  #ascii(text: string): boolean {
    const buffer = this.#buffer
    let at = this.#at
    for (let unit = 0; unit < text.length; unit++) {
      const code = text.charCodeAt(unit)
      if (code > 0x7f) return false
      buffer[at++] = code
    }
    this.#at = at
    return true
  }

  bytes(bytes: Uint8Array): void {
    this.reserve(bytes.byteLength)
    this.#buffer.set(bytes, this.#at)
    this.#at += bytes.byteLength
  }

  /** Text behind the number of its bytes. */
  sizedText(text: string): void {
    this.varint(Buffer.byteLength(text))
    this.text(text)
  }

  /** The message. The next one begins. */
  take(): Uint8Array {
    const message = this.#buffer.subarray(this.#start, this.#at)
    this.#start = this.#at
    return message
  }
}
