import assert from 'node:assert/strict'
import { type Filter, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { createCall } from '../../src/pipeline/call.ts'
import { type CancelSource, cancelSource } from '../../src/pipeline/cancellation.ts'
import { filterDeps } from '../../src/pipeline/stack.ts'
import { bulkhead } from '../../src/resilience/bulkhead/bulkhead.ts'
import { type ManualClock, manualClock } from '../../src/testing/manual-clock.ts'
import { modelOf, type Step } from './model.ts'

interface Settings {
  readonly concurrency: number
  readonly queue: number
  readonly queueTimeoutMs: number
  readonly order: 'fifo' | 'adaptive'
}

/** A call that waits; `answersAtOnce` when it is its turn. */
interface Waiting {
  readonly number: number
  readonly untilMs: number
  readonly late: 'OVERLOADED' | 'DEADLINE_EXCEEDED'
  readonly answersAtOnce: boolean
}

/** Plain lists of those that run and those that wait. */
interface Reference {
  readonly settings: Settings
  calls: number
  running: number[]
  waiting: Waiting[]
  standsSinceMs: number
  /** In the order in which they began. */
  readonly begun: number[]
  /** How each call ended, by its number. */
  readonly ended: Map<number, string>
}

interface Real {
  readonly clock: ManualClock
  readonly filter: Filter
  readonly works: Map<number, PromiseWithResolvers<void>>
  readonly cancels: CancelSource[]
  readonly begun: number[]
  readonly ended: Map<number, string>
}

type BulkheadStep = Step<Reference, Real>

interface Coming {
  readonly kind: 'request' | 'handle'
  readonly answersAtOnce: boolean
  /** `Infinity` for no deadline. */
  readonly leftMs: number
}

const call = ({ kind, answersAtOnce, leftMs }: Coming): BulkheadStep => ({
  label: `${kind}${answersAtOnce ? ' that answers at once' : ''}${leftMs < Number.POSITIVE_INFINITY ? ` within ${leftMs} ms` : ''}`,
  async run(reference, real) {
    const number = reference.calls++
    comes(reference, { kind, number, answersAtOnce, leftMs, nowMs: real.clock.monotonicMs() })
    startReal(real, { kind, number, answersAtOnce, leftMs })
    await compare(reference, real)
  },
})

function comes(reference: Reference, one: Coming & { readonly number: number; readonly nowMs: number }): void {
  const { settings, running, waiting } = reference
  const { kind, number, answersAtOnce, leftMs, nowMs } = one
  if (running.length < settings.concurrency) begin(reference, { number, answersAtOnce })
  else if (leftMs <= 0) reference.ended.set(number, 'DEADLINE_EXCEEDED')
  else if (waiting.length >= settings.queue) reference.ended.set(number, 'OVERLOADED')
  else {
    if (waiting.length === 0) reference.standsSinceMs = nowMs
    const patienceMs = kind === 'handle' ? Number.POSITIVE_INFINITY : settings.queueTimeoutMs
    const untilMs = nowMs + Math.min(leftMs, patienceMs)
    const late = leftMs < patienceMs ? 'DEADLINE_EXCEEDED' : 'OVERLOADED'
    waiting.push({ number, untilMs, late, answersAtOnce })
  }
}

function begin(reference: Reference, { number, answersAtOnce }: Pick<Waiting, 'number' | 'answersAtOnce'>): void {
  reference.begun.push(number)
  if (answersAtOnce) reference.ended.set(number, 'done')
  else reference.running.push(number)
}

function startReal(real: Real, { kind, number, answersAtOnce, leftMs }: Coming & { readonly number: number }): void {
  const { clock, filter, works, cancels, begun, ended } = real
  const source = cancelSource()
  cancels[number] = source
  const one = createCall({
    ...{ kind, target: 't', id: String(number), payload: undefined, cancellation: source.token },
    deadlineAtMs: clock.monotonicMs() + leftMs,
  })
  const end = (how: string): void => {
    assert.ok(!ended.has(number), 'a call ends twice')
    ended.set(number, how)
  }
  const result = (async () =>
    filter.apply(one, () => {
      begun.push(number)
      if (answersAtOnce) return undefined
      const work = Promise.withResolvers<void>()
      works.set(number, work)
      return work.promise
    }))()
  result.then(
    () => end('done'),
    (thrown) => end(PosthasteError.is(thrown) ? thrown.code : 'failed'),
  )
}

const end = (which: number, how: 'done' | 'failed'): BulkheadStep => ({
  label: `end ${which} ${how}`,
  possible: ({ running }) => running.length > 0,
  async run(reference, real) {
    const [number] = reference.running.splice(which % reference.running.length, 1)
    reference.ended.set(number!, how)
    const work = real.works.get(number!)
    if (how === 'done') work?.resolve()
    else work?.reject(new Error('no'))
    fill(reference, real.clock.monotonicMs())
    await compare(reference, real)
  },
})

function fill(reference: Reference, nowMs: number): void {
  const { settings, running, waiting } = reference
  while (running.length < settings.concurrency && waiting.length > 0) {
    const standing = waiting.length * 2 > settings.queue || nowMs - reference.standsSinceMs >= 100
    begin(reference, settings.order === 'adaptive' && standing ? waiting.pop()! : waiting.shift()!)
  }
}

/** Any call that ever came: one that runs goes on, one that has ended has ended. */
const cancel = (which: number): BulkheadStep => ({
  label: `cancel ${which}`,
  possible: ({ calls }) => calls > 0,
  async run(reference, real) {
    const number = which % reference.calls
    if (reference.waiting.some((one) => one.number === number)) reference.ended.set(number, 'CANCELLED')
    reference.waiting = reference.waiting.filter((one) => one.number !== number)
    real.cancels[number]?.cancel(new PosthasteError('CANCELLED', 'enough'))
    await compare(reference, real)
  },
})

const advance = (byMs: number): BulkheadStep => ({
  label: `advance ${byMs} ms`,
  async run(reference, real) {
    await real.clock.advance(byMs)
    const nowMs = real.clock.monotonicMs()
    for (const { number, untilMs, late } of reference.waiting) if (untilMs <= nowMs) reference.ended.set(number, late)
    reference.waiting = reference.waiting.filter(({ untilMs }) => untilMs > nowMs)
    await compare(reference, real)
  },
})

/** No slot is lost, nobody waits who need not, all begin in their order, and each ends once, as it should. */
async function compare(reference: Reference, real: Real): Promise<void> {
  await real.clock.advance(0)
  const { running, waiting, peak, waitingPeak } = figuresOf(real.filter)
  assert.deepEqual({ running, waiting }, { running: reference.running.length, waiting: reference.waiting.length })
  assert.ok(Number(peak) <= reference.settings.concurrency, 'more run than may')
  assert.ok(Number(waitingPeak) <= reference.settings.queue, 'more wait than may')
  assert.deepEqual(real.begun, reference.begun)
  assert.deepEqual(inOrder(real.ended), inOrder(reference.ended))
  const full = reference.running.length >= reference.settings.concurrency
  assert.equal(real.filter.notReadyForMs?.() === 0, !full)
}

function inOrder(ended: ReadonlyMap<number, string>): (readonly [number, string])[] {
  return [...ended].sort(([a], [b]) => a - b)
}

/** Multiples of a timer's tick, so that timers are exact. */
const timeMs = fc.oneof(fc.nat(5), fc.nat(30)).map((ticks) => ticks * 10)
const kind = fc.constantFrom('request' as const, 'handle' as const)
const leftMs = fc.oneof(fc.constant(Number.POSITIVE_INFINITY), timeMs)

/** The bulkhead against lists of those that run and those that wait. */
export const model = modelOf<Settings, Reference, Real>({
  name: 'bulkhead',
  settings: fc.record({
    concurrency: fc.integer({ min: 1, max: 4 }),
    queue: fc.nat(6),
    queueTimeoutMs: fc.integer({ min: 1, max: 30 }).map((ticks) => ticks * 10),
    order: fc.constantFrom('fifo', 'adaptive'),
  }),
  steps: [
    fc.record({ kind, answersAtOnce: fc.boolean(), leftMs }).map(call),
    fc.record({ kind, answersAtOnce: fc.constant(false), leftMs }).map(call),
    fc.tuple(fc.nat(), fc.constantFrom('done' as const, 'failed' as const)).map(([which, how]) => end(which, how)),
    fc.nat().map(cancel),
    timeMs.map(advance),
  ],
  start(settings) {
    const clock = manualClock()
    const filter = bulkhead(settings, filterDeps({ clock, random: () => 0.5 }))
    const lists = { running: [], waiting: [], begun: [], ended: new Map<number, string>() }
    const model = { settings, calls: 0, standsSinceMs: 0, ...lists }
    return { model, real: { clock, filter, works: new Map(), cancels: [], begun: [], ended: new Map() } }
  },
  /** Whatever happened, once everything has ended all slots are free. */
  async end(reference, real) {
    for (const [, work] of real.works) work.resolve()
    await real.clock.advance(0)
    for (const [, work] of real.works) work.resolve()
    while (reference.running.length > 0) {
      for (const number of reference.running.splice(0)) reference.ended.set(number, 'done')
      fill(reference, real.clock.monotonicMs())
      for (const [, work] of real.works) work.resolve()
      await real.clock.advance(0)
    }
    assert.equal(real.ended.size, reference.calls)
    const { running, waiting } = figuresOf(real.filter)
    assert.deepEqual({ running, waiting }, { running: 0, waiting: 0 })
    await real.clock.advance(1_000)
    assert.equal(real.clock.pending(), 0, 'a timer is left')
  },
})

function figuresOf(filter: Filter): Readonly<Record<string, unknown>> {
  return filter.snapshot?.() ?? {}
}
