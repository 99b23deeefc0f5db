/** What is known of a key that only succeeded so far: how often, in one bucket of time. */
export interface Successes {
  readonly count: number
  readonly bucket: number
}

/** A key that succeeded more often than this has earned a circuit, which is found faster. */
export const successesMax = 15

const slotsMin = 64
const loadMax = 0.75

/**
 * Keys that are new: of each a few recent successes, and nothing else. Most keys of a badly chosen set are seen once, and must
 * neither fill the memory nor drive out those in use; here each takes 13 bytes, at a load of a half to three quarters.
 *
 * A key is known by 64 bits of its hash. Two of a million keys have the same with a probability of 1 in 30,000,000; they
 * would share their successes, and nothing worse.
 *
 * Two generations: whatever is counted anew comes into the younger, and when that has its share, or its time is over, the
 * elder is dropped as a whole. So forgetting costs nothing for each key.
 *
 * @see Einziger, Friedman and Manes, "TinyLFU" (2017), §3.4.2, the doorkeeper
 */
export class FreshKeys {
  readonly #youngMax: number
  #young = new Generation()
  #old = new Generation()
  #dropped = 0

  /** Keeps `keysMax` keys at most, and at least half of that before it forgets any for want of room. */
  constructor(keysMax: number) {
    this.#youngMax = Math.max(Math.ceil(keysMax / 2), 1)
  }

  get size(): number {
    return this.#young.size + this.#old.size
  }

  /** How many keys there is memory for, a few bytes each. */
  get places(): number {
    return this.#young.places + this.#old.places
  }

  /** How many were forgotten for want of room. */
  get dropped(): number {
    return this.#dropped
  }

  /** Keeps what is known of a key. */
  put(key: string, { count, bucket }: Successes): void {
    if (this.#young.size >= this.#youngMax) {
      this.#dropped += this.#old.size
      this.turn()
    }
    this.#young.put(hashOf(key), count, bucket)
  }

  /** What is known of a key, which is then forgotten; undefined if that is nothing. */
  take(key: string): Successes | undefined {
    if (this.size === 0) return undefined
    const hash = hashOf(key)
    return this.#young.take(hash) ?? this.#old.take(hash)
  }

  /** Forgets what was kept before the turn before this one. */
  turn(): void {
    this.#old = this.#young
    this.#young = new Generation()
  }
}

/** Open addressing with linear probing. Slots are emptied all at once only, so none need be told from one never used. */
class Generation {
  #slots = slotsMin
  #high = new Uint32Array(slotsMin)
  #low = new Uint32Array(slotsMin)
  #buckets = new Uint32Array(slotsMin)
  /** 0 where the key was taken; its slot stays, and is found again when it is put. */
  #counts = new Uint8Array(slotsMin)
  #used = 0
  #size = 0

  get size(): number {
    return this.#size
  }

  get places(): number {
    return this.#slots
  }

  put(hash: Hash, count: number, bucket: number): void {
    if (this.#used >= this.#slots * loadMax) this.#grow()
    const at = this.#find(hash.high, hash.low)
    if (this.#isEmpty(at)) this.#used++
    if (this.#counts[at] === 0) this.#size++
    this.#set(at, hash.high, hash.low)
    this.#buckets[at] = bucket
    this.#counts[at] = count
  }

  take(hash: Hash): Successes | undefined {
    const at = this.#find(hash.high, hash.low)
    const count = this.#counts[at]!
    if (count === 0) return undefined
    this.#counts[at] = 0
    this.#size--
    return { count, bucket: this.#buckets[at]! }
  }

  #isEmpty(at: number): boolean {
    return this.#high[at] === 0 && this.#low[at] === 0
  }

  /** The slot of a key, or the empty one where it belongs. */
  #find(high: number, low: number): number {
    const mask = this.#slots - 1
    let at = low & mask
    while (!this.#isEmpty(at) && (this.#high[at] !== high || this.#low[at] !== low)) at = (at + 1) & mask
    return at
  }

  #set(at: number, high: number, low: number): void {
    this.#high[at] = high
    this.#low[at] = low
  }

  /** Slots without those of keys that were taken: twice as many, unless that alone makes room. */
  #grow(): void {
    const [high, low, buckets, counts] = [this.#high, this.#low, this.#buckets, this.#counts]
    if (this.#size * 2 > this.#slots * loadMax) this.#slots *= 2
    this.#high = new Uint32Array(this.#slots)
    this.#low = new Uint32Array(this.#slots)
    this.#buckets = new Uint32Array(this.#slots)
    this.#counts = new Uint8Array(this.#slots)
    this.#used = this.#size
    for (let from = 0; from < counts.length; from++) {
      if (counts[from] === 0) continue
      const to = this.#find(high[from]!, low[from]!)
      this.#set(to, high[from]!, low[from]!)
      this.#buckets[to] = buckets[from]!
      this.#counts[to] = counts[from]!
    }
  }
}

interface Hash {
  readonly high: number
  /** Never 0, so that no key looks like an empty slot. */
  readonly low: number
}

/** Two hashes of 32 bits, of different multipliers, each mixed with the other at the end (cyrb53 before it drops bits). */
function hashOf(key: string): Hash {
  let a = 0xdeadbeef
  let b = 0x41c6ce57
  for (let at = 0; at < key.length; at++) {
    const unit = key.charCodeAt(at)
    a = Math.imul(a ^ unit, 2_654_435_761)
    b = Math.imul(b ^ unit, 1_597_334_677)
  }
  a = Math.imul(a ^ (a >>> 16), 2_246_822_507) ^ Math.imul(b ^ (b >>> 13), 3_266_489_909)
  b = Math.imul(b ^ (b >>> 16), 2_246_822_507) ^ Math.imul(a ^ (a >>> 13), 3_266_489_909)
  return { high: a >>> 0, low: b >>> 0 || 1 }
}
