import assert from 'node:assert/strict'
import { PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { type CallInit, createCall } from '../../src/pipeline/call.ts'
import { filterDeps } from '../../src/pipeline/stack.ts'
import { type Breakers, breakers } from '../../src/resilience/breaker/breakers.ts'
import { type ManualClock, manualClock } from '../../src/testing/manual-clock.ts'
import { modelOf, type Step } from './model.ts'
import { type Begun, breakerSettings, type Ending, optionsOf, ReferenceBreaker } from './reference-breaker.ts'

const keys = ['a', 'b', 'c'] as const
type Key = (typeof keys)[number]

/** A reference for each key, none of which is ever forgotten. */
interface Reference {
  readonly byKey: Readonly<Record<Key, ReferenceBreaker>>
  begun: { readonly key: Key; readonly begun: Begun; end(how: Ending): Promise<void> }[]
}

interface Real {
  readonly clock: ManualClock
  readonly breakers: Breakers
  /** A call that is longer under way than this may find its circuit forgotten, and is not ended here. */
  readonly windowMs: number
}

type BreakersStep = Step<Reference, Real>

const callTo = (key: Key) =>
  createCall({ kind: 'request', target: key, id: '1', payload: 1 } satisfies CallInit<number>)
const failures = {
  failed: new PosthasteError('UNAVAILABLE', 'down'),
  neutral: new PosthasteError('INVALID_ARGUMENT', 'wrong'),
} as const

function compare({ byKey }: Reference, { breakers: real, clock }: Real): void {
  const nowMs = clock.monotonicMs()
  for (const key of keys) assert.equal(real.stateOf(key), byKey[key].state)
  const { notClosed } = real.snapshot() as unknown as { notClosed: { key: Key; notReadyForMs: number }[] }
  const notable = keys.filter((key) => byKey[key].state !== 'closed' || byKey[key].forced !== undefined)
  assert.deepEqual(notClosed.map(({ key }) => key).sort(), notable)
  for (const { key, notReadyForMs } of notClosed) assert.equal(notReadyForMs, Math.ceil(byKey[key].waitMs(nowMs)))
}

const begin = (key: Key): BreakersStep => ({
  label: `begin ${key}`,
  run(reference, real) {
    const begun = reference.byKey[key].begin(real.clock.monotonicMs())
    const { promise, resolve, reject } = Promise.withResolvers<number>()
    try {
      const result = Promise.resolve(real.breakers.apply(callTo(key), () => promise))
      assert.ok(begun !== undefined, 'lets pass')
      const end = async (how: Ending): Promise<void> => {
        if (how === 'ok') resolve(1)
        else reject(failures[how])
        await result.catch(() => {})
      }
      reference.begun.push({ key, begun, end })
    } catch (refused) {
      assert.ok(PosthasteError.is(refused, 'BREAKER_OPEN'), String(refused))
      assert.equal(begun, undefined, 'refuses')
    }
    compare(reference, real)
  },
})

const end = (which: number, how: Ending): BreakersStep => ({
  label: `end ${which}: ${how}`,
  async run(reference, real) {
    const nowMs = real.clock.monotonicMs()
    reference.begun = reference.begun.filter(({ begun }) => nowMs - begun.atMs < real.windowMs)
    if (reference.begun.length === 0) return
    const [one] = reference.begun.splice(which % reference.begun.length, 1)
    await one!.end(how)
    reference.byKey[one!.key].end(one!.begun, how, nowMs)
    compare(reference, real)
  },
})

const pass = (key: Key, how: Ending, times: number): BreakersStep => ({
  label: `pass ${key}: ${how} × ${times}`,
  run(reference, real) {
    const nowMs = real.clock.monotonicMs()
    for (let time = 0; time < times; time++) {
      const begun = reference.byKey[key].begin(nowMs)
      let reached = false
      try {
        real.breakers.apply(callTo(key), () => {
          reached = true
          if (how !== 'ok') throw failures[how]
        })
      } catch (thrown) {
        assert.ok(reached ? how !== 'ok' : PosthasteError.is(thrown, 'BREAKER_OPEN'))
      }
      assert.equal(reached, begun !== undefined)
      if (begun !== undefined) reference.byKey[key].end(begun, how, nowMs)
    }
    compare(reference, real)
  },
})

const force = (key: Key, to: 'open' | 'closed' | undefined): BreakersStep => ({
  label: `force ${key} ${to ?? 'nothing'}`,
  run(reference, real) {
    reference.byKey[key].force(to)
    real.breakers.force(key, to)
    compare(reference, real)
  },
})

const advance = (byMs: number): BreakersStep => ({
  label: `advance ${byMs} ms`,
  async run(reference, real) {
    await real.clock.advance(byMs)
    compare(reference, real)
  },
})

const key = fc.constantFrom(...keys)
const ending = fc.constantFrom<Ending>('ok', 'ok', 'ok', 'failed', 'failed', 'neutral')

/** Breakers by key, which forget what says nothing any more, against one for each key that forgets nothing. */
export const model = modelOf<{ options: Parameters<typeof optionsOf>[0]; drawn: number }, Reference, Real>({
  name: 'breakers by key',
  settings: fc.record({ options: breakerSettings, drawn: fc.constantFrom(0, 0.5, 0.99) }),
  steps: [
    key.map(begin),
    fc.tuple(key, ending, fc.integer({ min: 1, max: 3 })).map(([at, how, times]) => pass(at, how, times)),
    fc.tuple(key, ending, fc.integer({ min: 1, max: 20 })).map(([at, how, times]) => pass(at, how, times)),
    fc.tuple(fc.nat(), ending).map(([which, how]) => end(which, how)),
    fc.oneof(fc.nat(60), fc.nat(700), fc.nat(7_000)).map(advance),
    fc.oneof(
      { weight: 9, arbitrary: fc.nat(300).map(advance) },
      fc.tuple(key, fc.constantFrom('open' as const, 'closed' as const, undefined)).map(([at, to]) => force(at, to)),
    ),
  ],
  start({ options, drawn }) {
    const clock = manualClock()
    const real = breakers({ breaker: optionsOf(options) }, filterDeps({ clock, random: () => drawn }))
    const reference = (): ReferenceBreaker => new ReferenceBreaker(options, drawn)
    return {
      model: { byKey: { a: reference(), b: reference(), c: reference() }, begun: [] },
      real: { clock, breakers: real, windowMs: options.windowMs ?? Number.POSITIVE_INFINITY },
    }
  },
})
