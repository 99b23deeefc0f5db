const seed = 0x9747b28c
const m = 0x5bd1e995

/**
 * The partition of a key, as the Java client has it: any client that partitions by its default agrees.
 * @see https://github.com/aappleby/smhasher MurmurHash2, 32 bits, seed 0x9747b28c
 */
export function partitionOf(key: string, partitions: number): number {
  return (murmur2(Buffer.from(key)) & 0x7fffffff) % partitions
}

/** MurmurHash2 of 32 bits. */
export function murmur2(data: Buffer): number {
  const length = data.length
  let hash = seed ^ length
  const whole = length & ~3
  for (let at = 0; at < whole; at += 4) {
    let k = Math.imul(data.readInt32LE(at), m)
    k = Math.imul(k ^ (k >>> 24), m)
    hash = Math.imul(hash, m) ^ k
  }
  const left = length - whole
  if (left > 2) hash ^= (data[whole + 2] as number) << 16
  if (left > 1) hash ^= (data[whole + 1] as number) << 8
  if (left > 0) hash = Math.imul(hash ^ (data[whole] as number), m)
  hash = Math.imul(hash ^ (hash >>> 13), m)
  return hash ^ (hash >>> 15)
}
