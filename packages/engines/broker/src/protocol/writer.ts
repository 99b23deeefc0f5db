/**
 * A slab holds many messages, which are views of it: a buffer of its own for each would cost more than writing it. The first is
 * small, since most writers have little to say and there may be thousands; each that is full is followed by a larger one.
 */
const slabBytesFirst = 1024
const slabBytesMax = 64 * 1024
const slabGrowth = 4
/** Longer text is written faster by a native call. */
const shortUnits = 48
/** Room for any number. */
const varintBytesMax = 8
const bytesPerUnit = 3
const nothing = Buffer.alloc(0)

/** Writes messages one after the other. What `take` has given away is not touched again. */
export class Writer {
  #buffer: Buffer = nothing
  #slabBytes = slabBytesFirst / slabGrowth
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
    this.#slabBytes = Math.min(slabGrowth * this.#slabBytes, slabBytesMax)
    const larger = Buffer.allocUnsafe(Math.max(this.#slabBytes, 2 * written + bytes))
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

  /** Text without its length. */
  text(text: string): void {
    this.reserve(bytesPerUnit * text.length)
    if (!this.#ascii(text)) this.#at += this.#buffer.write(text, this.#at)
  }

  /**
   * Texts one after the other, behind the number of their bytes together. Nearly all text is ASCII, so it is written as if it
   * were: only where it is not, its bytes are counted first.
   * @param units of all of them, in UTF-16
   */
  sizedTexts(texts: readonly string[], units: number): void {
    this.reserve(varintBytesMax + bytesPerUnit * units)
    const start = this.#at
    this.varint(units)
    for (let at = 0; at < texts.length; at++) {
      if (this.#ascii(texts[at]!)) continue
      this.#at = start
      let bytes = 0
      for (const text of texts) bytes += Buffer.byteLength(text)
      this.varint(bytes)
      for (const text of texts) this.#at += this.#buffer.write(text, this.#at)
      return
    }
  }

  /** Text of letters of one byte, for which there is room; false, and nothing written, where it is not. */
  #ascii(text: string): boolean {
    const buffer = this.#buffer
    const start = this.#at
    const { length } = text
    if (length > shortUnits) {
      const bytes = buffer.write(text, start)
      if (bytes !== length) return false
      this.#at = start + bytes
      return true
    }
    for (let unit = 0; unit < length; unit++) {
      const code = text.charCodeAt(unit)
      if (code > 0x7f) return false
      buffer[start + unit] = code
    }
    this.#at = start + length
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
