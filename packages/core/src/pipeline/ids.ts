import type { Clock } from '@posthaste/contracts'

/** Fills bytes with randomness fit for identifiers. */
export type RandomBytes = (bytes: Uint8Array<ArrayBuffer>) => unknown

const webCrypto: RandomBytes = (bytes) => crypto.getRandomValues(bytes)

const digit: readonly number[] = [...'0123456789abcdef'].map((text) => text.charCodeAt(0))
const dash = 45

/** 12 bits beside the version and 14 beside the variant. */
const counterBits = 26
const counterMax = 2 ** counterBits - 1
const poolBytes = 6 * 512

/**
 * Makes ids: UUIDv7, each greater as text than the one before of the same maker, also when the clock stands or goes back.
 * Hot path: the time is formatted once per millisecond, randomness is drawn in bulk.
 *
 * @see RFC 9562 §5.7 and §6.2 (method 1: a counter of 26 bits, begun at random each millisecond; the last 48 bits random)
 */
export function messageIds(clock: Clock, random: RandomBytes = webCrypto): (nowMs?: number) => string {
  const pool = new Uint8Array(poolBytes)
  let used = poolBytes
  let lastMs = -1
  let prefix = ''
  let counter = 0

  const draw = (): number => {
    if (used + 6 > poolBytes) {
      random(pool)
      used = 0
    }
    const at = used
    used += 6
    return at
  }

  const begin = (ms: number): void => {
    lastMs = ms
    const text = ms.toString(16).padStart(12, '0')
    prefix = `${text.slice(0, 8)}-${text.slice(8)}-`
    const at = draw()
    // The top bit stays clear, so that a millisecond has room for 33 million ids.
    counter = ((pool[at]! << 17) | (pool[at + 1]! << 9) | (pool[at + 2]! << 1)) & (counterMax >> 1)
  }

  // Whoever has just looked at the clock passes what it showed.
  return (nowMs = clock.nowMs()) => {
    if (nowMs > lastMs) begin(Math.floor(nowMs))
    else if (counter === counterMax) begin(lastMs + 1)
    else counter++
    const at = draw()
    const high = 0x7000 | (counter >> 14)
    const low = 0x8000 | (counter & 0x3fff)
    // One flat text: a chain of concatenations would be flattened, and collected, once for each message.
    return (
      prefix +
      String.fromCharCode(
        digit[high >> 12]!,
        digit[(high >> 8) & 15]!,
        digit[(high >> 4) & 15]!,
        digit[high & 15]!,
        dash,
        digit[low >> 12]!,
        digit[(low >> 8) & 15]!,
        digit[(low >> 4) & 15]!,
        digit[low & 15]!,
        dash,
        digit[pool[at]! >> 4]!,
        digit[pool[at]! & 15]!,
        digit[pool[at + 1]! >> 4]!,
        digit[pool[at + 1]! & 15]!,
        digit[pool[at + 2]! >> 4]!,
        digit[pool[at + 2]! & 15]!,
        digit[pool[at + 3]! >> 4]!,
        digit[pool[at + 3]! & 15]!,
        digit[pool[at + 4]! >> 4]!,
        digit[pool[at + 4]! & 15]!,
        digit[pool[at + 5]! >> 4]!,
        digit[pool[at + 5]! & 15]!,
      )
    )
  }
}

let isoMs = Number.NaN
let isoText = ''

/** A time as RFC 3339 text in UTC, for CloudEvents. Formatted once per millisecond. */
export function isoTime(ms: number): string {
  if (ms !== isoMs) {
    isoText = new Date(ms).toISOString()
    isoMs = ms
  }
  return isoText
}
