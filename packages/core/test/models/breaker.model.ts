import assert from 'node:assert/strict'
import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { createCall } from '../../src/pipeline/call.ts'
import { filterDeps } from '../../src/pipeline/stack.ts'
import { type Breaker, breaker } from '../../src/resilience/breaker/breaker.ts'
import { type ManualClock, manualClock } from '../../src/testing/manual-clock.ts'
import { modelOf, type Step } from './model.ts'
import { type Begun, breakerSettings, type Ending, optionsOf, ReferenceBreaker } from './reference-breaker.ts'

interface Reference {
  readonly breaker: ReferenceBreaker
  /** Calls under way; the real ones stand at the same places. */
  readonly begun: Begun[]
}

interface Real {
  readonly clock: ManualClock
  readonly breaker: Breaker
  readonly running: { readonly result: Promise<unknown>; end(how: Ending): void }[]
}

type BreakerStep = Step<Reference, Real>

const call = createCall({ kind: 'request', target: 'a callee', id: '1', payload: 1 })
const failures = {
  failed: new PosthasteError('UNAVAILABLE', 'down'),
  neutral: new PosthasteError('INVALID_ARGUMENT', 'wrong'),
} as const

/** What the two say of themselves. Moves nothing, so that time passes unseen between one look and the next. */
function compare(reference: Reference, { breaker: real, clock }: Real): void {
  const nowMs = clock.monotonicMs()
  const { state, forced } = reference.breaker
  const shown = real.snapshot()
  assert.equal(shown.state, state)
  assert.equal(shown.forced, forced)
  assert.equal(shown.notReadyForMs, Math.ceil(reference.breaker.waitMs(nowMs)))
  const counted = reference.breaker.counted(nowMs)
  const failed = counted.filter((one) => one.failed).length
  const slow = counted.filter((one) => one.slow).length
  if (state === 'closed') assert.deepEqual([shown.calls, shown.failures, shown.slow], [counted.length, failed, slow])
  if (state === 'halfOpen') {
    const probes = shown.probes as { succeeded: number; failed: number; slow: number }
    assert.deepEqual([probes.succeeded, probes.failed, probes.slow], [counted.length - failed, failed, slow])
  }
}

const begin: BreakerStep = {
  label: 'begin',
  run(reference, real) {
    const begun = reference.breaker.begin(real.clock.monotonicMs())
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    try {
      const result = Promise.resolve(real.breaker.apply(call, () => promise))
      real.running.push({ result, end: (how) => (how === 'ok' ? resolve(1) : reject(failures[how])) })
    } catch (refused) {
      assert.ok(PosthasteError.is(refused, 'BREAKER_OPEN'))
      assert.equal(begun, undefined, 'refuses')
      return compare(reference, real)
    }
    assert.ok(begun !== undefined, 'lets pass')
    reference.begun.push(begun)
    compare(reference, real)
  },
}

const end = (which: number, how: Ending): BreakerStep => ({
  label: `end ${which}: ${how}`,
  possible: ({ begun }) => begun.length > 0,
  async run(reference, real) {
    const at = which % reference.begun.length
    const [begun] = reference.begun.splice(at, 1)
    const [running] = real.running.splice(at, 1)
    running!.end(how)
    await running!.result.catch(() => {})
    reference.breaker.end(begun!, how, real.clock.monotonicMs())
    compare(reference, real)
  },
})

/** A call that is over as soon as it begins. */
const pass = (how: Ending): BreakerStep => ({
  label: `pass: ${how}`,
  run(reference, real) {
    const nowMs = real.clock.monotonicMs()
    const begun = reference.breaker.begin(nowMs)
    let reached = false
    try {
      real.breaker.apply(call, () => {
        reached = true
        if (how !== 'ok') throw failures[how]
      })
    } catch (thrown) {
      assert.ok(reached ? how !== 'ok' : PosthasteError.is(thrown, 'BREAKER_OPEN'))
    }
    assert.equal(reached, begun !== undefined)
    if (begun !== undefined) reference.breaker.end(begun, how, nowMs)
    compare(reference, real)
  },
})

const look: BreakerStep = {
  label: 'look',
  run(reference, real) {
    const nowMs = real.clock.monotonicMs()
    reference.breaker.look(nowMs)
    assert.equal(real.breaker.notReadyForMs(), reference.breaker.waitMs(nowMs))
    compare(reference, real)
  },
}

const force = (to: 'open' | 'closed' | undefined): BreakerStep => ({
  label: `force ${to ?? 'nothing'}`,
  run(reference, real) {
    reference.breaker.force(to)
    real.breaker.force(to)
    compare(reference, real)
  },
})

const advance = (byMs: number): BreakerStep => ({
  label: `advance ${byMs} ms`,
  async run(reference, real) {
    await real.clock.advance(byMs)
    compare(reference, real)
  },
})

const ending = fc.constantFrom<Ending>('ok', 'ok', 'failed', 'failed', 'neutral')

/** The breaker against one that keeps a list of everything. */
export const model = modelOf<{ options: Parameters<typeof optionsOf>[0]; drawn: number }, Reference, Real>({
  name: 'breaker',
  settings: fc.record({ options: breakerSettings, drawn: fc.constantFrom(0, 0.5, 0.99) }),
  steps: [
    fc.constant(begin),
    fc.constant(begin),
    ending.map(pass),
    ending.map(pass),
    fc.tuple(fc.nat(), ending).map(([which, how]) => end(which, how)),
    fc.tuple(fc.nat(), ending).map(([which, how]) => end(which, how)),
    fc.constant(look),
    fc.oneof(fc.nat(60), fc.nat(700), fc.nat(7_000)).map(advance),
    fc.oneof({ weight: 6, arbitrary: fc.constant(look) }, fc.constantFrom('open', 'closed', undefined).map(force)),
  ],
  start({ options, drawn }) {
    const clock = manualClock()
    const real = breaker(optionsOf(options), filterDeps({ clock, random: () => drawn }))
    return {
      model: { breaker: new ReferenceBreaker(options, drawn), begun: [] },
      real: { clock, breaker: real, running: [] },
    }
  },
})
