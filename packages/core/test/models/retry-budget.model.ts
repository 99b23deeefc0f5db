import assert from 'node:assert/strict'
import fc from 'fast-check'
import { type RetryBudget, type RetryBudgetOptions, retryBudget } from '../../src/resilience/retry/retry-budget.ts'
import { type ManualClock, manualClock } from '../../src/testing/manual-clock.ts'
import { modelOf, type Step } from './model.ts'

/** Everything that happened, in the tenth of a window in which it happened. */
interface Reference {
  readonly settings: Required<{ [K in keyof RetryBudgetOptions]: number }>
  readonly happened: { readonly kind: 'call' | 'retry'; readonly tenth: number }[]
}

interface Real {
  readonly clock: ManualClock
  readonly budget: RetryBudget
}

type BudgetStep = Step<Reference, Real>

const tenthOf = ({ settings }: Reference, { clock }: Real): number =>
  Math.floor(clock.monotonicMs() / (settings.windowMs / 10))

function balanceOf(reference: Reference, real: Real): number {
  const { settings, happened } = reference
  const recent = happened.filter(({ tenth }) => tenth > tenthOf(reference, real) - 10)
  const calls = recent.filter(({ kind }) => kind === 'call').length
  const reserve = (settings.perSecond * settings.windowMs) / 1_000
  return reserve + settings.ratio * calls - (recent.length - calls)
}

const deposit: BudgetStep = {
  label: 'deposit',
  run(reference, real) {
    real.budget.deposit()
    reference.happened.push({ kind: 'call', tenth: tenthOf(reference, real) })
    assert.equal(real.budget.balance(), balanceOf(reference, real))
  },
}

const withdraw: BudgetStep = {
  label: 'withdraw',
  run(reference, real) {
    const allowed = balanceOf(reference, real) >= 1
    assert.equal(real.budget.withdraw(), allowed)
    if (allowed) reference.happened.push({ kind: 'retry', tenth: tenthOf(reference, real) })
    assert.equal(real.budget.balance(), balanceOf(reference, real))
  },
}

const advance = (byMs: number): BudgetStep => ({
  label: `advance ${byMs} ms`,
  async run(reference, real) {
    await real.clock.advance(byMs)
    assert.equal(real.budget.balance(), balanceOf(reference, real))
  },
})

/** The retry budget against a list of everything that happened. */
export const model = modelOf({
  name: 'retry budget',
  settings: fc.record({
    ratio: fc.oneof(fc.constantFrom(0, 0.1, 0.2, 1), fc.double({ min: 0, max: 10, noNaN: true })),
    perSecond: fc.oneof(fc.constantFrom(0, 0.1, 1, 10), fc.integer({ min: 0, max: 100 })),
    windowMs: fc.integer({ min: 1_000, max: 100_000 }),
  }),
  steps: [
    fc.constant(deposit),
    fc.constant(withdraw),
    fc.constant(withdraw),
    fc.oneof(fc.nat(500), fc.nat(20_000), fc.nat(200_000)).map(advance),
  ],
  start(settings) {
    const clock = manualClock()
    return { model: { settings, happened: [] }, real: { clock, budget: retryBudget(settings, clock) } }
  },
})
