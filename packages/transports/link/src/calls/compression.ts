import { gunzipSync, gzipSync } from 'node:zlib'
import { PosthasteError } from '@posthaste/contracts'
import { compressedMessage } from '../connection/types.ts'

/** Fast rather than small: a link is mostly within a data centre. */
const settings = { level: 1 }

/** The message compressed, or undefined where that is not worth it. On the event loop: about 10 ms for a mebibyte. */
export function compressed(body: Uint8Array): Uint8Array | undefined {
  const smaller = gzipSync(body, settings)
  return smaller.length < body.length ? smaller : undefined
}

/**
 * The message as its sender wrote it.
 *
 * @param messageBytesMax most bytes it may have when it was compressed
 * @throws BODY_TOO_LARGE as soon as it has more; BODY_MALFORMED when it is no gzip
 */
export function plain(body: Uint8Array, flags: number, messageBytesMax: number): Uint8Array {
  if ((flags & compressedMessage) === 0) return body
  try {
    return gunzipSync(body, { maxOutputLength: messageBytesMax })
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === 'ERR_BUFFER_TOO_LARGE') {
      const details = { messageBytesMax }
      throw new PosthasteError('BODY_TOO_LARGE', `the message has over ${messageBytesMax} bytes`, { details })
    }
    throw new PosthasteError('BODY_MALFORMED', 'the message is not compressed as it says', { cause })
  }
}
