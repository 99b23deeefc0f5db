import type { Buffer as Bytes } from 'node:buffer'
import type { Envelope } from 'rabbitmq-client'

/** The head of a message: an envelope, and headers that it shares with others. */
export interface Head extends Envelope {
  /** Stand before its own, which win. */
  shared?: SharedHeaders | undefined
}

/** Headers that many messages have, encoded once. */
export interface SharedHeaders {
  readonly headers: Readonly<Record<string, string>>
  readonly fields: Bytes
}

/** Encodes headers for {@link Head.shared}. */
export function sharedHeaders(headers: Readonly<Record<string, string>>): SharedHeaders {
  const writer = new FrameWriter()
  writer.reserve(tableBytes(headers))
  writer.fields(headers)
  return { headers, fields: Buffer.concat(writer.take()) }
}

/**
 * Writes messages as frames of AMQP 0-9-1, one behind the other, so that all that is published in one turn goes to the
 * socket at once.
 * @see AMQP 0-9-1, 4.2
 */
export class FrameWriter {
  #chunk: Bytes = empty
  #start = 0
  #at = 0
  #full: Bytes[] = []

  /**
   * Writes `basic.publish` and what follows it.
   * @throws RangeError where a name has more than 255 bytes or the headers do not fit into a frame; nothing is written then
   */
  message(head: Head, body: Bytes, { channelId, frameBytesMax }: FrameLimits): void {
    const { exchange = '', routingKey = '', shared, headers = {}, contentType = '', messageId = '' } = head
    const texts = exchange.length + routingKey.length + contentType.length + messageId.length
    this.reserve(fixedBytes + 3 * texts + (shared?.fields.length ?? 0) + tableBytes(headers))
    const rollBackTo = this.#at
    try {
      this.#method(channelId, { exchange, routingKey, isMandatory: head.mandatory === true })
      this.#header(channelId, head, body.length)
      if (this.#at - rollBackTo > frameBytesMax) throw new RangeError('its headers do not fit into a frame')
    } catch (thrown) {
      this.#at = rollBackTo
      throw thrown
    }
    const partMax = frameBytesMax - frameOverhead
    for (let from = 0; from < body.length; from += partMax)
      this.#body(channelId, from === 0 && body.length <= partMax ? body : body.subarray(from, from + partMax))
  }

  /** All that was written since the last time. */
  take(): readonly Bytes[] {
    this.#cut()
    const all = this.#full
    this.#full = []
    return all
  }

  /** Makes room for so many bytes in one piece. */
  reserve(bytes: number): void {
    if (this.#chunk.length - this.#at >= bytes) return
    this.#cut()
    this.#chunk = Buffer.allocUnsafeSlow(Math.max(chunkBytes, bytes))
    this.#start = 0
    this.#at = 0
  }

  /** Writes the fields of a table. */
  fields(headers: Readonly<Record<string, unknown>>): void {
    for (const name in headers) {
      const value = headers[name]
      if (typeof value === 'number') {
        this.#short(name)
        this.#number(value)
      } else if (value !== undefined) {
        this.#short(name)
        this.#at = this.#chunk.writeUInt8(stringType, this.#at)
        this.#long(String(value))
      }
    }
  }

  #method(
    channelId: number,
    to: { readonly exchange: string; readonly routingKey: string; readonly isMandatory: boolean },
  ): void {
    const start = this.#begin(methodFrame, channelId)
    this.#at = this.#chunk.writeUInt32BE(basicPublish, this.#at)
    this.#at = this.#chunk.writeUInt16BE(0, this.#at)
    this.#short(to.exchange)
    this.#short(to.routingKey)
    this.#at = this.#chunk.writeUInt8(to.isMandatory ? 1 : 0, this.#at)
    this.#end(start)
  }

  #header(channelId: number, { contentType, shared, headers, messageId, timestamp }: Head, bodyBytes: number): void {
    const start = this.#begin(headerFrame, channelId)
    this.#at = this.#chunk.writeUInt32BE(basicClass, this.#at)
    this.#wide(bodyBytes)
    const flags = (contentType === undefined ? 0 : 0x8000) | (messageId === undefined ? 0 : 0x0080)
    this.#at = this.#chunk.writeUInt16BE(flags | 0x3000 | (timestamp === undefined ? 0 : 0x0040), this.#at)
    if (contentType !== undefined) this.#short(contentType)
    const table = this.#at
    this.#at += 4
    if (shared !== undefined) this.#at += shared.fields.copy(this.#chunk, this.#at)
    if (headers !== undefined) this.fields(headers)
    this.#chunk.writeUInt32BE(this.#at - table - 4, table)
    this.#at = this.#chunk.writeUInt8(persistent, this.#at)
    if (messageId !== undefined) this.#short(messageId)
    if (timestamp !== undefined) this.#wide(timestamp)
    this.#end(start)
  }

  #body(channelId: number, part: Bytes): void {
    const isCopied = part.length <= copiedBytesMax
    this.reserve(frameOverhead + (isCopied ? part.length : 0))
    const start = this.#begin(bodyFrame, channelId)
    if (isCopied) {
      this.#at += part.copy(this.#chunk, this.#at)
      this.#end(start)
      return
    }
    this.#chunk.writeUInt32BE(part.length, start)
    this.#cut()
    this.#full.push(part)
    this.#at = this.#chunk.writeUInt8(frameEnd, this.#at)
  }

  /** Where the size of the frame is to be. */
  #begin(type: number, channelId: number): number {
    const at = this.#chunk.writeUInt16BE(channelId, this.#chunk.writeUInt8(type, this.#at))
    this.#at = at + 4
    return at
  }

  #end(start: number): void {
    this.#chunk.writeUInt32BE(this.#at - start - 4, start)
    this.#at = this.#chunk.writeUInt8(frameEnd, this.#at)
  }

  #short(text: string): void {
    const bytes = this.#chunk.write(text, this.#at + 1, 'utf8')
    if (bytes > 255) throw new RangeError(`${text.slice(0, 40)}… has more than 255 bytes`)
    this.#chunk.writeUInt8(bytes, this.#at)
    this.#at += 1 + bytes
  }

  #long(text: string): void {
    const bytes = this.#chunk.write(text, this.#at + 4, 'utf8')
    this.#chunk.writeUInt32BE(bytes, this.#at)
    this.#at += 4 + bytes
  }

  #number(value: number): void {
    const isInteger = Number.isInteger(value) && Math.abs(value) < 2 ** 31
    this.#at = this.#chunk.writeUInt8(isInteger ? integerType : doubleType, this.#at)
    this.#at = isInteger ? this.#chunk.writeInt32BE(value, this.#at) : this.#chunk.writeDoubleBE(value, this.#at)
  }

  #wide(value: number): void {
    this.#at = this.#chunk.writeUInt32BE(Math.floor(value / 2 ** 32), this.#at)
    this.#at = this.#chunk.writeUInt32BE(value % 2 ** 32, this.#at)
  }

  #cut(): void {
    if (this.#at > this.#start) this.#full.push(this.#chunk.subarray(this.#start, this.#at))
    this.#start = this.#at
  }
}

/** What the connection says of frames. */
export interface FrameLimits {
  readonly channelId: number
  readonly frameBytesMax: number
}

const empty = Buffer.alloc(0)
const chunkBytes = 65_536
/** Larger bodies are handed to the socket as they are. */
const copiedBytesMax = 16_384
/** Everything of a message that has one length. */
const fixedBytes = 128
const frameOverhead = 8
const [methodFrame, headerFrame, bodyFrame, frameEnd] = [1, 2, 3, 206]
const basicPublish = 0x003c_0028
const basicClass = 0x003c_0000
const persistent = 2
const [stringType, integerType, doubleType] = [0x53, 0x49, 0x64]

/** No fewer than the fields of a table take. */
function tableBytes(headers: Readonly<Record<string, unknown>>): number {
  let bytes = 0
  for (const name in headers) {
    const value = headers[name]
    bytes += 16 + 3 * (name.length + (typeof value === 'string' ? value.length : 24))
  }
  return bytes
}
