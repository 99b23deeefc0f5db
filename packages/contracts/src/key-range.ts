const offsetBasis = 0x811c9dc5
const prime = 0x01000193
const utf8 = new TextEncoder()

/**
 * Which of `count` key ranges a key belongs to, 0 to `count` − 1. For engines that choose the range themselves: the same key
 * is in the same range in every process and every version, and a foreign publisher can compute it.
 *
 * @see The FNV Non-Cryptographic Hash Algorithm, FNV-1a with 32 bits over the key as UTF-8, modulo `count`
 */
export function keyRangeOf(key: string, count: number): number {
  let hash = offsetBasis
  for (const byte of utf8.encode(key)) hash = Math.imul(hash ^ byte, prime)
  return (hash >>> 0) % count
}
