import type { Headers } from '@posthaste/contracts'
import { frameFlag, noTimeout } from './constants.ts'
import type { Frame } from './frame.ts'
import { noMetadata, readMetadata } from './metadata.ts'
import { readText } from './text.ts'
import { malformed } from './violation.ts'

/** What an OPEN says besides its message. */
export interface Opening {
  /** 0 to 65535; 65535 is a name that is not remembered. */
  method: number
  /** Name of the method, 1 to 255 bytes as UTF-8, where the other side does not know its number yet. */
  name: string | undefined
  /** Milliseconds the client still waits, 0 to 2^32-2; undefined for as long as it takes. */
  timeoutMs: number | undefined
  /** Index of the content type in the server's HELLO; 255 is `application/octet-stream`. */
  codec: number
  metadata: Headers
}

/** An OPEN as it was read. One object serves a connection's every OPEN: take what is kept. */
export interface OpeningRead extends Opening {
  /** Offset of the message in the frame's bytes; it goes to the frame's end. */
  bodyStart: number
}

/** A fresh object for {@link readOpening} to fill. */
export function emptyOpening(): OpeningRead {
  return { method: 0, name: undefined, timeoutMs: undefined, codec: 0, metadata: noMetadata, bodyStart: 0 }
}

/** Bytes of number, deadline and codec: what an OPEN has besides name, metadata and message. */
export const openingFixedBytes = 7

/** How {@link readOpening} reads. */
export interface OpeningReading {
  readonly frame: Frame
  readonly metadataBytesMax: number
  readonly into: OpeningRead
}

/**
 * Reads the payload of an OPEN up to its message.
 * @throws BODY_MALFORMED when it is cut short, has an empty name, or bytes where the flags say there is no message;
 *   BODY_TOO_LARGE when its metadata is above the bound
 */
export function readOpening({ frame, metadataBytesMax, into }: OpeningReading): void {
  const { bytes, flags, end } = frame
  let at = frame.start
  into.method = ((bytes[at] as number) << 8) | (bytes[at + 1] as number)
  at += 2
  if ((flags & frameFlag.named) === 0) {
    into.name = undefined
  } else {
    const nameEnd = at + 1 + (bytes[at] as number)
    if (nameEnd === at + 1) throw malformed('OPEN with an empty name of a method')
    if (nameEnd > end) throw malformed('OPEN is cut short')
    into.name = readText(bytes, at + 1, nameEnd)
    at = nameEnd
  }
  if (end - at < openingFixedBytes) throw malformed('OPEN is cut short')
  const timeoutMs = bytes.readUInt32BE(at)
  into.timeoutMs = timeoutMs === noTimeout ? undefined : timeoutMs
  into.codec = bytes[at + 4] as number
  readPairs({ frame, metadataBytesMax, into }, at + 5)
  if (into.bodyStart !== end && (flags & frameFlag.body) === 0) throw malformed('OPEN has bytes after its metadata')
}

function readPairs({ frame, metadataBytesMax, into }: OpeningReading, start: number): void {
  const { bytes, end } = frame
  if (bytes[start] === 0 && bytes[start + 1] === 0) {
    into.metadata = noMetadata
    into.bodyStart = start + 2
    return
  }
  const read = readMetadata({ bytes, start, end, bytesMax: metadataBytesMax })
  into.metadata = read.metadata
  into.bodyStart = read.end
}
