import { windowMax } from './constants.ts'
import type { Frame } from './frame.ts'
import { type MetadataRead, readMetadata } from './metadata.ts'
import { malformed } from './violation.ts'

/**
 * The grant of a CREDIT, 1 to 2^31-1 bytes.
 * @throws BODY_MALFORMED when it is none
 */
export function readCredit({ bytes, start }: Frame): number {
  const granted = bytes.readUInt32BE(start)
  if (granted === 0 || granted > windowMax) throw malformed(`CREDIT of ${granted}`)
  return granted
}

/** The reason of a CANCEL, one of `cancelReason`; those of later versions are as good as `givenUp`. */
export function readCancelReason({ bytes, start }: Frame): number {
  return bytes[start] as number
}

/** The 8 bytes of a PING, which its answer repeats. */
export function readPing({ bytes, start, end }: Frame): Uint8Array {
  return bytes.subarray(start, end)
}

/**
 * The metadata of an END.
 * @throws BODY_MALFORMED when it is not well formed, or something follows it; BODY_TOO_LARGE when it is above the bound
 */
export function readEnd({ bytes, start, end }: Frame, metadataBytesMax: number): MetadataRead['metadata'] {
  const read = readMetadata({ bytes, start, end, bytesMax: metadataBytesMax })
  if (read.end !== end) throw malformed('END has bytes after its metadata')
  return read.metadata
}
