import type { IncomingMessage } from 'node:http'
import { PosthasteError } from '@posthaste/contracts'

/**
 * The whole body of a request. Its length is checked before anything is read where it is announced, and while reading
 * in any case; nothing beyond the limit is kept.
 *
 * @throws BODY_TOO_LARGE; CANCELLED when the client went away before the end
 */
export function readBody(request: IncomingMessage, bytesMax: number): Promise<Buffer> {
  return new Promise((resolve, reject) => {
    if (Number(request.headers['content-length'] ?? 0) > bytesMax) return reject(tooLarge(bytesMax))
    const chunks: Buffer[] = []
    let bytes = 0
    const take = (chunk: Buffer): void => {
      bytes += chunk.length
      if (bytes <= bytesMax) {
        chunks.push(chunk)
        return
      }
      request.off('data', take)
      reject(tooLarge(bytesMax))
    }
    request.on('data', take)
    request.once('end', () => resolve(chunks.length === 1 ? (chunks[0] as Buffer) : Buffer.concat(chunks)))
    request.once('error', () => reject(goneBeforeEnd()))
    request.once('close', () => reject(goneBeforeEnd()))
  })
}

function tooLarge(bytesMax: number): PosthasteError {
  return new PosthasteError('BODY_TOO_LARGE', `the body is over ${bytesMax} bytes`, {
    details: { bodyBytesMax: bytesMax },
  })
}

function goneBeforeEnd(): PosthasteError {
  return new PosthasteError('CANCELLED', 'the client went away in the middle of the body')
}
