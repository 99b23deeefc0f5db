import assert from 'node:assert/strict'
import type { IdempotencyState } from '@posthaste/contracts'
import fc from 'fast-check'
import { type IdempotencyStoreUnderTest, newKey, type StoreCase } from './store-case.ts'

/** What is known of one key, by the letter of the interface. */
interface Known {
  readonly fingerprint: string
  readonly token: string
  readonly endsAtMs: number
  readonly result?: string
}

/** Claims that were fresh, by which steps refer to them. */
interface Claimed {
  readonly key: string
  readonly fingerprint: string
  readonly token: string
}

// Leases and leaps never end at the same time: real time may go by as well.
const minute = 60_000
const step = fc.oneof(
  fc.record({
    kind: fc.constant('claim' as const),
    key: fc.nat({ max: 1 }),
    fingerprint: fc.constantFrom('a', 'b'),
    leaseMs: fc.constantFrom(1.5 * minute, 4.5 * minute),
  }),
  fc.record({
    kind: fc.constant('complete' as const),
    which: fc.nat({ max: 5 }),
    result: fc.constantFrom('', 'x', 'y'),
    ttlMs: fc.constantFrom(1.5 * minute, 8.5 * minute),
  }),
  fc.record({ kind: fc.constant('release' as const), which: fc.nat({ max: 5 }) }),
  fc.record({ kind: fc.constant('advance' as const), ms: fc.constantFrom(minute, 3 * minute) }),
)

type Step = typeof step extends fc.Arbitrary<infer T> ? T : never

/** A store beside the model of it. */
class Run {
  readonly #test: IdempotencyStoreUnderTest
  readonly #known = new Map<string, Known>()
  readonly #claims: Claimed[] = []
  readonly #prefix = newKey()
  #nowMs = 0
  #turn = 0

  constructor(test: IdempotencyStoreUnderTest) {
    this.#test = test
  }

  async step(next: Step): Promise<void> {
    const { stores } = this.#test
    const store = stores[this.#turn++ % stores.length] ?? stores[0]
    if (next.kind === 'advance') {
      this.#nowMs += next.ms
      await this.#test.advance(next.ms)
    } else if (next.kind === 'claim') {
      const { fingerprint, leaseMs } = next
      const key = `${this.#prefix}/${next.key}`
      this.#claimed({ key, fingerprint, leaseMs }, await store.claim({ key, fingerprint, leaseMs }))
    } else {
      // Counted from the latest, which is the one most often worked at.
      const claim = this.#claims.at(-1 - next.which)
      if (claim === undefined) return
      if (next.kind === 'release') {
        await store.release(claim.key, claim.token)
        const known = this.#live(claim.key)
        if (known?.token === claim.token && known.result === undefined) this.#known.delete(claim.key)
        return
      }
      const { result, ttlMs } = next
      const isKept = await store.complete(claim.key, claim.token, { result: new TextEncoder().encode(result), ttlMs })
      assert.equal(isKept, this.#complete(claim, result, ttlMs), 'complete')
    }
  }

  #live(key: string): Known | undefined {
    const known = this.#known.get(key)
    return known !== undefined && this.#nowMs < known.endsAtMs ? known : undefined
  }

  #claimed(claim: { key: string; fingerprint: string; leaseMs: number }, got: IdempotencyState): void {
    const { key, fingerprint, leaseMs } = claim
    const known = this.#live(key)
    if (known === undefined) {
      assert.equal(got.state, 'fresh')
      if (got.state !== 'fresh') return
      assert.ok(!this.#claims.some(({ token }) => token === got.token), 'a token came twice')
      this.#known.set(key, { fingerprint, token: got.token, endsAtMs: this.#nowMs + leaseMs })
      this.#claims.push({ key, fingerprint, token: got.token })
    } else if (known.fingerprint !== fingerprint) {
      assert.equal(got.state, 'mismatch')
    } else if (known.result === undefined) {
      assert.equal(got.state, 'inFlight')
    } else {
      assert.equal(got.state, 'done')
      if (got.state === 'done') assert.equal(new TextDecoder().decode(got.result), known.result)
    }
  }

  #complete({ key, fingerprint, token }: Claimed, result: string, ttlMs: number): boolean {
    const known = this.#live(key)
    if (known !== undefined && known.token !== token) return false
    if (known?.result === undefined) this.#known.set(key, { fingerprint, token, result, endsAtMs: this.#nowMs + ttlMs })
    return true
  }
}

const runs = 60

/** Random programs, beside a model. */
export const modelCase: StoreCase = {
  title: 'is as the model of it, whatever is done to it in whatever order',
  async run(test) {
    const program = fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
      const run = new Run(test)
      for (const each of steps) await run.step(each)
    })
    await fc.assert(program, { numRuns: runs })
  },
}
