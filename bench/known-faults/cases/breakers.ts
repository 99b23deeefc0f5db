import { type FaultCase, fail, isSettled, outcomeOf, pending } from '../kit.ts'

const hourMs = 3_600_000

/** How a breaker counts, and what it counts. */
export const breakerCases: readonly FaultCase[] = [
  {
    name: 'failures from before an idle hour count, so that the first failure after it opens the breaker',
    theme: 'breaker',
    found: 'cockatiel 3 and 4, SamplingBreaker: one bucket is passed for each call, however long nobody called (#64)',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 21, openMs: 1_000 })
      await fail(kit, breaker, 20)
      await kit.advance(hourMs)
      await fail(kit, breaker, 1)
      return breaker.state() !== 'closed'
    },
  },
  {
    name: 'a single failure opens a breaker that is set to nothing else',
    theme: 'breaker',
    found: 'opossum: volumeThreshold is 0 by default (#217)',
    async hasFault(kit) {
      const breaker = kit.breaker({})
      await fail(kit, breaker, 1)
      return breaker.state() !== 'closed'
    },
  },
  {
    name: 'calls that are under way dilute the rate of failures, so that nothing opens while a callee hangs',
    theme: 'breaker',
    found: 'opossum: the rate is that of calls begun (#481, #558)',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5 })
      const hanging = pending<number>()
      for (let call = 0; call < 50; call++) void outcomeOf(breaker.run(() => hanging.promise))
      await fail(kit, breaker, 20)
      return breaker.state() === 'closed'
    },
  },
  {
    name: 'calls that a bulkhead refuses count as failures of the callee and open the breaker',
    theme: 'breaker',
    found: 'opossum: ESEMLOCKED is handled as a failure; capacity 1 and 10 calls open it',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, concurrency: 1 })
      const busy = pending<number>()
      const all = Array.from({ length: 10 }, () => outcomeOf(breaker.run(() => busy.promise)))
      await kit.advance(0)
      busy.resolve(1)
      await Promise.all(all)
      return breaker.state() !== 'closed'
    },
  },
  {
    name: 'the breaker’s own refusals count, so that its window is full of them when it closes',
    theme: 'breaker',
    found: 'a rule of the field: what was not sent says nothing about the callee',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, windowMs: 60_000, openMs: 1_000 })
      await fail(kit, breaker, 5)
      for (let call = 0; call < 100; call++) await outcomeOf(breaker.run(async () => 1))
      await kit.advance(1_500)
      await outcomeOf(breaker.run(async () => 1))
      for (let call = 0; call < 20; call++) await outcomeOf(breaker.run(async () => 1))
      await fail(kit, breaker, 1)
      return breaker.state() !== 'closed'
    },
  },
  {
    name: 'the caller’s own mistakes open the breaker',
    theme: 'breaker',
    found: 'a rule of the field: 4xx and INVALID_ARGUMENT are neutral',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5 })
      for (let call = 0; call < 20; call++) await outcomeOf(breaker.run(() => Promise.reject(kit.callersFault())))
      return breaker.state() !== 'closed'
    },
  },
  {
    name: 'the timeout of one call aborts the work of another, which has time left',
    theme: 'breaker',
    found: 'opossum: one AbortController for all calls of a breaker',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 1_000, timeoutMs: 100 })
      void outcomeOf(breaker.run(() => pending<number>().promise))
      await kit.advance(60)
      let signal: AbortSignal | undefined
      void outcomeOf(
        breaker.run((given) => {
          signal = given
          return pending<number>().promise
        }),
      )
      await kit.advance(60)
      return signal?.aborted === true
    },
  },
  {
    name: 'there is a breaker for each URL that was ever called, and they are kept for ever',
    theme: 'breaker',
    found: 'APISIX api-breaker: keyed by host and raw URI',
    async hasFault(kit) {
      const breakers = kit.breakers()
      for (let order = 0; order < 20_000; order++) await breakers.run(`GET /orders/${order}`, async () => 1)
      return breakers.known() > 2_000
    },
  },
  {
    name: 'a failure costs the more, the more calls are in the window: over 20 times at 50,000 than at 500',
    theme: 'breaker',
    found: 'opossum: each failure sorts all latencies of the window, 8.8 ms at 100,000; percentiles are on by default',
    timed: true,
    async hasFault(kit) {
      const costOf = async (calls: number): Promise<number> => {
        const breaker = kit.breaker({ callsMin: 900_000, windowMs: 60_000 })
        for (let call = 0; call < calls; call++) await breaker.run(async () => 1)
        const times: number[] = []
        for (let failure = 0; failure < 15; failure++) {
          const beganAtMs = performance.now()
          await fail(kit, breaker, 1)
          times.push(performance.now() - beganAtMs)
        }
        return times.sort((a, b) => a - b)[7]!
      }
      await costOf(500)
      const few = await costOf(500)
      return (await costOf(50_000)) > 20 * few
    },
  },
]

/** What happens between open and closed. */
export const halfOpenCases: readonly FaultCase[] = [
  {
    name: 'callers wait for the probe of somebody else, and cannot give up',
    theme: 'half-open',
    found: 'cockatiel 3 and 4: `await state.decision.promise`, whatever the signal says',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000 })
      await fail(kit, breaker, 10)
      await kit.advance(1_500)
      void outcomeOf(breaker.run(() => pending<number>().promise))
      await kit.advance(0)
      const caller = new AbortController()
      const waiting = outcomeOf(breaker.run(async () => 1, caller.signal))
      await kit.advance(20)
      caller.abort()
      await kit.advance(50)
      return !(await isSettled(waiting, kit))
    },
  },
  {
    name: 'all callers are let go at the callee at once when the probe succeeds',
    theme: 'half-open',
    found: 'cockatiel 3 and 4: 500 callers that waited for the probe are a burst of 500',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000 })
      await fail(kit, breaker, 10)
      await kit.advance(1_500)
      const probe = pending<number>()
      let reached = 0
      const work = (): Promise<number> => {
        reached++
        return reached === 1 ? probe.promise : Promise.resolve(1)
      }
      for (let caller = 0; caller < 500; caller++) void outcomeOf(breaker.run(work))
      await kit.advance(0)
      probe.resolve(1)
      await kit.advance(0)
      return reached > 10
    },
  },
  {
    name: 'more than the probes reach the callee while it is half-open',
    theme: 'half-open',
    found: 'safe-client-gateway #3442: a flood of 17 times the load on a callee that was coming back',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000, probes: 1 })
      await fail(kit, breaker, 10)
      await kit.advance(1_500)
      let reached = 0
      for (let caller = 0; caller < 100; caller++) {
        void outcomeOf(
          breaker.run(() => {
            reached++
            return pending<number>().promise
          }),
        )
      }
      await kit.advance(0)
      return reached > 1
    },
  },
  {
    name: 'a success of a call from before it opened closes it',
    theme: 'half-open',
    found: 'opossum: any success while it is half-open',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000 })
      const early = pending<number>()
      void outcomeOf(breaker.run(() => early.promise))
      await kit.advance(0)
      await fail(kit, breaker, 20)
      await kit.advance(1_500)
      void outcomeOf(breaker.run(() => pending<number>().promise))
      await kit.advance(0)
      early.resolve(1)
      await kit.advance(0)
      return breaker.state() === 'closed'
    },
  },
  {
    name: 'a failure of a call from before it opened opens it again',
    theme: 'half-open',
    found: 'the same rule the other way: results belong to the state in which their call began',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000 })
      const early = pending<number>()
      void outcomeOf(breaker.run(() => early.promise))
      await kit.advance(0)
      await fail(kit, breaker, 20)
      await kit.advance(1_500)
      const probe = pending<number>()
      void outcomeOf(breaker.run(() => probe.promise))
      await kit.advance(0)
      early.reject(kit.failure())
      await kit.advance(0)
      return breaker.state() === 'open'
    },
  },
  {
    name: 'a probe that hangs keeps it half-open, refusing or holding all calls, for ever',
    theme: 'half-open',
    found: 'opossum with timeout: false; resilience4j before maxWaitDurationInHalfOpenState (#903, #935)',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000 })
      await fail(kit, breaker, 10)
      await kit.advance(1_500)
      void outcomeOf(breaker.run(() => pending<number>().promise))
      let answered = false
      for (let minute = 0; minute < 60 && !answered; minute++) {
        await kit.advance(60_000)
        const call = outcomeOf(breaker.run(async () => 1))
        answered = (await isSettled(call, kit)) && (await call) === 'answered'
      }
      return !answered
    },
  },
  {
    name: 'a caller’s own mistake, which says nothing about the callee, closes it',
    theme: 'half-open',
    found: 'cockatiel counts a probe’s unhandled error as a success, opossum a filtered one',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000 })
      await fail(kit, breaker, 10)
      await kit.advance(1_500)
      await outcomeOf(breaker.run(() => Promise.reject(kit.callersFault())))
      return breaker.state() === 'closed'
    },
  },
  {
    name: 'neutral probes use its probes up, and it never closes',
    theme: 'half-open',
    found: 'resilience4j: stuck half-open when permits leak (#903, #935)',
    async hasFault(kit) {
      const breaker = kit.breaker({ callsMin: 5, openMs: 1_000 })
      await fail(kit, breaker, 10)
      await kit.advance(1_500)
      for (let call = 0; call < 10; call++) await outcomeOf(breaker.run(() => Promise.reject(kit.callersFault())))
      return (await outcomeOf(breaker.run(async () => 1))) === 'failed'
    },
  },
  {
    name: 'one lucky probe is all that it can be set to ask for before all calls pass',
    theme: 'half-open',
    found: 'opossum: more than one probe is not supported (#613)',
    async hasFault(kit) {
      try {
        kit.breaker({ callsMin: 5, probes: 3 })
        return false
      } catch {
        return true
      }
    },
  },
]
