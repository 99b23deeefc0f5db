/** Writes the primitive types of the Kafka protocol into one growing buffer. */
export class ByteWriter {
  #bytes: Buffer
  /** How much has been written. */
  length = 0

  constructor(bytesFirst = 1_024) {
    this.#bytes = Buffer.allocUnsafe(bytesFirst)
  }

  /** What was written; a view, valid until more is written. */
  get written(): Buffer {
    return this.#bytes.subarray(0, this.length)
  }

  int8(value: number): void {
    this.#room(1)
    this.#bytes[this.length++] = value
  }

  int16(value: number): void {
    this.#room(2)
    this.length = this.#bytes.writeInt16BE(value, this.length)
  }

  int32(value: number): void {
    this.#room(4)
    this.length = this.#bytes.writeInt32BE(value, this.length)
  }

  int64(value: bigint): void {
    this.#room(8)
    this.length = this.#bytes.writeBigInt64BE(value, this.length)
  }

  /** An unsigned number below 2^53, seven bits a byte, the lowest first. */
  unsignedVarint(value: number): void {
    this.#room(8)
    let rest = value
    while (rest > 0x7f) {
      this.#bytes[this.length++] = (rest % 0x80) | 0x80
      rest = Math.floor(rest / 0x80)
    }
    this.#bytes[this.length++] = rest
  }

  /** A signed number of at most 52 bits, zigzag. */
  varint(value: number): void {
    this.unsignedVarint(value >= 0 ? value * 2 : -value * 2 - 1)
  }

  raw(bytes: Uint8Array): void {
    this.#room(bytes.length)
    this.#bytes.set(bytes, this.length)
    this.length += bytes.length
  }

  /** Text or bytes behind their length; −1 for what is not there. As in records. */
  sized(value: string | Uint8Array | undefined): void {
    if (value === undefined) {
      this.varint(-1)
    } else if (typeof value !== 'string') {
      this.varint(value.length)
      this.raw(value)
    } else if (value.length > shortUnits || !this.#sizedAscii(value)) {
      const bytes = Buffer.byteLength(value)
      this.varint(bytes)
      this.#room(bytes)
      this.length += this.#bytes.write(value, this.length)
    }
  }

  /** Native calls cost more than the bytes of short text. @returns false, with nothing written, where it is not ASCII */
  #sizedAscii(value: string): boolean {
    const { length } = value
    this.#room(length + 1)
    const [bytes, start] = [this.#bytes, this.length + 1]
    for (let unit = 0; unit < length; unit += 1) {
      const code = value.charCodeAt(unit)
      if (code > 0x7f) return false
      bytes[start + unit] = code
    }
    bytes[start - 1] = length * 2
    this.length = start + length
    return true
  }

  /** Text behind its length plus one; 0 for what is not there. As in requests. */
  compactString(value: string | undefined): void {
    if (value === undefined) {
      this.unsignedVarint(0)
      return
    }
    const bytes = Buffer.byteLength(value)
    this.unsignedVarint(bytes + 1)
    this.#room(bytes)
    this.length += this.#bytes.write(value, this.length)
  }

  /** 16 bytes of a UUID. */
  uuid(value: string): void {
    this.raw(Buffer.from(value.replaceAll('-', ''), 'hex'))
  }

  /** No tagged fields. */
  tags(): void {
    this.unsignedVarint(0)
  }

  /** Keeps room for something whose value is known later. */
  skip(bytes: number): number {
    this.#room(bytes)
    const at = this.length
    this.length += bytes
    return at
  }

  /** Appends what was written before. @returns where it begins now */
  repeat(from: number, to: number): number {
    const at = this.length
    this.#room(to - from)
    this.#bytes.copyWithin(at, from, to)
    this.length += to - from
    return at
  }

  /**
   * What comes after `at` gets its length in front of it, as a varint: `gap` bytes were kept for it there.
   * @returns by how much what was written behind the gap has moved, where it is not as wide as the length
   */
  closeGap(at: number, gap: number): number {
    const end = this.length
    const size = end - at - gap
    const moved = varintBytes(size) - gap
    if (moved !== 0) {
      this.#room(Math.max(moved, 0))
      this.#bytes.copyWithin(at + gap + moved, at + gap, end)
    }
    this.length = at
    this.varint(size)
    this.length = end + moved
    return moved
  }

  /** A varint of five bytes, its leading digits zero where the value needs fewer. */
  patchPaddedVarint(at: number, value: number): void {
    for (let digit = 0; digit < 4; digit += 1) this.#bytes[at + digit] = ((value >>> (7 * digit)) & 0x7f) | 0x80
    this.#bytes[at + 4] = (value >>> 28) & 0x7f
  }

  patchInt32(at: number, value: number): void {
    this.#bytes.writeInt32BE(value, at)
  }

  patchUint32(at: number, value: number): void {
    this.#bytes.writeUInt32BE(value, at)
  }

  view(from: number, to: number): Buffer {
    return this.#bytes.subarray(from, to)
  }

  #room(bytes: number): void {
    const needed = this.length + bytes
    if (needed <= this.#bytes.length) return
    const grown = Buffer.allocUnsafe(Math.max(needed, this.#bytes.length * 2))
    this.#bytes.copy(grown, 0, 0, this.length)
    this.#bytes = grown
  }
}

/** Text of at most so many units has a length of one byte. */
const shortUnits = 63

/** How many bytes the varint of a length takes. */
function varintBytes(length: number): number {
  let bytes = 1
  for (let rest = length * 2; rest > 0x7f; rest = Math.floor(rest / 0x80)) bytes += 1
  return bytes
}

/** Reads the primitive types of the Kafka protocol from a buffer. */
export class ByteReader {
  readonly bytes: Buffer
  at = 0

  constructor(bytes: Buffer) {
    this.bytes = bytes
  }

  get left(): number {
    return this.bytes.length - this.at
  }

  int8(): number {
    return this.bytes.readInt8(this.at++)
  }

  int16(): number {
    const value = this.bytes.readInt16BE(this.at)
    this.at += 2
    return value
  }

  int32(): number {
    const value = this.bytes.readInt32BE(this.at)
    this.at += 4
    return value
  }

  uint32(): number {
    const value = this.bytes.readUInt32BE(this.at)
    this.at += 4
    return value
  }

  int64(): bigint {
    const value = this.bytes.readBigInt64BE(this.at)
    this.at += 8
    return value
  }

  /** An int64 that is an offset, a time or a count, and as such within 2^53. */
  long(): number {
    const high = this.bytes.readInt32BE(this.at)
    const low = this.bytes.readUInt32BE(this.at + 4)
    this.at += 8
    return high * 0x1_0000_0000 + low
  }

  unsignedVarint(): number {
    const first = this.bytes[this.at++] as number
    if (first < 0x80) return first
    let value = first & 0x7f
    let scale = 0x80
    for (;;) {
      const byte = this.bytes[this.at++]
      if (byte === undefined) throw new RangeError('a varint goes beyond the end')
      value += (byte & 0x7f) * scale
      if (byte < 0x80) return value
      scale *= 0x80
    }
  }

  varint(): number {
    const value = this.unsignedVarint()
    return value % 2 === 0 ? value / 2 : -(value + 1) / 2
  }

  /** Bytes behind their length; undefined where it is negative. A view. */
  sized(): Buffer | undefined {
    const length = this.varint()
    return length < 0 ? undefined : this.raw(length)
  }

  /** Text behind its length; empty where that is negative. Makes no view in between: this is the hot path of reading. */
  sizedText(): string {
    const length = this.varint()
    if (length <= 0) return ''
    const from = this.at
    this.at += length
    if (this.at > this.bytes.length) throw new RangeError('a field goes beyond the end')
    return this.bytes.toString('utf8', from, this.at)
  }

  /** Whether these are the next bytes. */
  startsWith(bytes: Uint8Array): boolean {
    const end = this.at + bytes.length
    return end <= this.bytes.length && this.bytes.compare(bytes, 0, bytes.length, this.at, end) === 0
  }

  raw(length: number): Buffer {
    const end = this.at + length
    if (end > this.bytes.length) throw new RangeError('a field goes beyond the end')
    const value = this.bytes.subarray(this.at, end)
    this.at = end
    return value
  }

  compactString(): string | undefined {
    const length = this.unsignedVarint()
    return length === 0 ? undefined : this.raw(length - 1).toString()
  }

  uuid(): string {
    const hex = this.raw(16).toString('hex')
    return `${hex.slice(0, 8)}-${hex.slice(8, 12)}-${hex.slice(12, 16)}-${hex.slice(16, 20)}-${hex.slice(20)}`
  }

  /** The length of a compact array; 0 where it is null. */
  arrayLength(): number {
    return Math.max(0, this.unsignedVarint() - 1)
  }

  /** Leaves out tagged fields. */
  tags(): void {
    for (let count = this.unsignedVarint(); count > 0; count -= 1) {
      this.unsignedVarint()
      this.raw(this.unsignedVarint())
    }
  }
}
