import { type FaultCase, fail, isSettled, type Kit, outcomeOf, pending } from '../kit.ts'

/** Work that hears no signal, one call at a time, each given up after a while. */
async function runsMoreThanMay(kit: Kit, limit: 'outside' | 'inside'): Promise<boolean> {
  const bounded = kit.bounded({ concurrency: 1, timeoutMs: 100, limit })
  let most = 0
  const work = async (): Promise<void> => {
    most++
    await pending<void>().promise
  }
  for (let call = 0; call < 5; call++) {
    void outcomeOf(bounded.run(work))
    await kit.advance(150)
  }
  return most > 1
}

/** What waits, and for how long. */
export const bulkheadCases: readonly FaultCase[] = [
  {
    name: 'what waits for a place waits for ever',
    theme: 'bulkhead',
    found: 'cockatiel: the queue has no deadline',
    async hasFault(kit) {
      const bulkhead = kit.bulkhead({ concurrency: 1, queue: 1, queueTimeoutMs: 100 })
      void outcomeOf(bulkhead.run(() => pending<number>().promise))
      const waiting = outcomeOf(bulkhead.run(async () => 1))
      await kit.advance(60_000)
      return !(await isSettled(waiting, kit))
    },
  },
  {
    name: 'a caller who gave up is not told so while others are under way',
    theme: 'bulkhead',
    found: 'cockatiel: an aborted entry is looked at when its turn comes',
    async hasFault(kit) {
      const bulkhead = kit.bulkhead({ concurrency: 1, queue: 1, queueTimeoutMs: 1_000_000 })
      void outcomeOf(bulkhead.run(() => pending<number>().promise))
      const caller = new AbortController()
      const waiting = outcomeOf(bulkhead.run(async () => 1, caller.signal))
      await kit.advance(0)
      caller.abort()
      return !(await isSettled(waiting, kit))
    },
  },
  {
    name: 'a caller who gave up keeps a place in the queue, and others are refused for it',
    theme: 'bulkhead',
    found: 'cockatiel: an aborted entry stays in the queue',
    async hasFault(kit) {
      const bulkhead = kit.bulkhead({ concurrency: 1, queue: 1, queueTimeoutMs: 1_000_000 })
      const first = pending<number>()
      void outcomeOf(bulkhead.run(() => first.promise))
      const caller = new AbortController()
      void outcomeOf(bulkhead.run(async () => 1, caller.signal))
      await kit.advance(0)
      caller.abort()
      await kit.advance(0)
      const next = outcomeOf(bulkhead.run(async () => 1))
      await kit.advance(0)
      first.resolve(1)
      await kit.advance(0)
      return (await next) === 'failed'
    },
  },
  {
    name: 'the end of a call’s time gives its place away while the work runs on, though the limit stands outside the bulkhead',
    theme: 'bulkhead',
    found: 'opossum: the timeout releases the semaphore',
    hasFault: (kit) => runsMoreThanMay(kit, 'outside'),
  },
  {
    name: 'the end of a call’s time gives its place away while the work runs on, where the limit stands inside the bulkhead',
    theme: 'bulkhead',
    found: 'the same with the order of stacks that retry: what the bulkhead sees has ended',
    hasFault: (kit) => runsMoreThanMay(kit, 'inside'),
  },
]

const threeAttempts = { attempts: 3, baseMs: 10, maxMs: 100 }

/** What is tried again, when, and how often. */
export const retryCases: readonly FaultCase[] = [
  {
    name: 'a caller who gives up while a retry waits is held until the wait is over',
    theme: 'retry',
    found: 'cockatiel: the wait is a timer that nothing ends',
    async hasFault(kit) {
      const retry = kit.retry({ attempts: 3, baseMs: 60_000, maxMs: 60_000 })
      const caller = new AbortController()
      const running = outcomeOf(retry.run(() => Promise.reject(kit.failure()), caller.signal))
      await kit.advance(1)
      caller.abort()
      return !(await isSettled(running, kit))
    },
  },
  {
    name: 'another attempt is made after the caller gave up',
    theme: 'retry',
    found: 'cockatiel: the signal is asked before the wait, and not after it',
    async hasFault(kit) {
      const retry = kit.retry({ attempts: 3, baseMs: 1_000, maxMs: 1_000 })
      const caller = new AbortController()
      let attempts = 0
      const work = (): Promise<never> => {
        attempts++
        return Promise.reject(kit.failure())
      }
      const running = outcomeOf(retry.run(work, caller.signal))
      await kit.advance(0)
      caller.abort()
      await kit.advance(10_000)
      await running
      return attempts > 1
    },
  },
  {
    name: 'another attempt is made after the time for the whole call is over',
    theme: 'retry',
    found: 'a rule of the field: a retry ends with the deadline',
    async hasFault(kit) {
      const retry = kit.retryWithin({ attempts: 5, baseMs: 1_000, maxMs: 1_000 }, 100)
      let late = 0
      const beganAtMs = kit.nowMs()
      const work = (): Promise<never> => {
        if (kit.nowMs() - beganAtMs > 110) late++
        return Promise.reject(kit.failure())
      }
      const running = outcomeOf(retry.run(work))
      await kit.advance(20_000)
      await running
      return late > 0
    },
  },
  {
    name: 'three services that try three times each make 27 calls of one while the last one is down',
    theme: 'retry',
    found: 'n layers with r attempts make r^n; without a budget nothing bounds it',
    async hasFault(kit) {
      const chain = kit.tiers(3, threeAttempts)
      const calls = 1_000
      let reached = 0
      const work = (): Promise<never> => {
        reached++
        return Promise.reject(kit.failure())
      }
      const all = Array.from({ length: calls }, () => outcomeOf(chain.run(work)))
      await kit.advance(10_000)
      await Promise.all(all)
      return reached > 3 * calls
    },
  },
  {
    name: 'a failure that asks for two seconds is tried again after milliseconds',
    theme: 'retry',
    found: '@fastify/reply-from: `Retry-After: 2` is waited for 2 ms',
    async hasFault(kit) {
      const retry = kit.retry(threeAttempts)
      const failure = kit.failure(2_000)
      let attempts = 0
      const running = outcomeOf(
        retry.run(() => {
          attempts++
          return Promise.reject(failure)
        }),
      )
      await kit.advance(1_900)
      const early = attempts
      await kit.advance(60_000)
      await running
      return early > 1
    },
  },
  {
    name: 'a call that may have reached its callee, and must not be repeated, is repeated unless told otherwise',
    theme: 'retry',
    found: 'a rule of the field: repeat what is idempotent, or was not sent',
    async hasFault(kit) {
      let attempts = 0
      const running = outcomeOf(
        kit.once(threeAttempts).run(() => {
          attempts++
          return Promise.reject(kit.failure())
        }),
      )
      await kit.advance(10_000)
      await running
      return attempts > 1
    },
  },
  {
    name: 'after two thousand attempts a wait is no number, or beyond its bound',
    theme: 'retry',
    found: 'cockatiel 2: NaN and overflow of the decorrelated jitter (#86)',
    async hasFault(kit) {
      const waits = kit.waits(2_000, { attempts: 2_000, baseMs: 100, maxMs: 5_000 })
      return waits.some((wait) => !Number.isFinite(wait) || wait < 0 || wait > 5_000)
    },
  },
]

/** What ours does on purpose, and who cares for nothing but the one call would call a fault. */
export const prices: readonly FaultCase[] = [
  {
    name: 'callers are refused while a probe is out that succeeds a moment later',
    theme: 'price',
    found: 'for nobody waiting on the probe of another, and no burst after it',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000 })
      await fail(kit, breaker, 10)
      await kit.advance(1_500)
      const probe = pending<number>()
      void outcomeOf(breaker.run(() => probe.promise))
      await kit.advance(0)
      const caller = outcomeOf(breaker.run(async () => 1))
      await kit.advance(1)
      probe.resolve(1)
      await kit.advance(1)
      return (await caller) === 'failed'
    },
  },
  {
    name: 'of many calls that fail together some are not tried again, though the next attempt would succeed',
    theme: 'price',
    found: 'for retries that add a fifth to the load at most',
    async hasFault(kit) {
      const retry = kit.retry(threeAttempts)
      const all = Array.from({ length: 500 }, () => {
        let attempts = 0
        return outcomeOf(retry.run(() => (attempts++ === 0 ? Promise.reject(kit.failure()) : Promise.resolve(1))))
      })
      await kit.advance(10_000)
      return (await Promise.all(all)).includes('failed')
    },
  },
]
