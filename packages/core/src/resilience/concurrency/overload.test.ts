import type { Clock, Timer } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { compose } from '../../pipeline/compose.ts'
import { type FilterDeps, filterDeps } from '../../pipeline/stack.ts'
import { timeout } from '../time/timeout.ts'
import { type ConcurrencyLimitOptions, concurrencyLimit } from './concurrency-limit.ts'

/** A clock with a queue of events, which moves from one to the next. */
class Timeline implements Clock {
  readonly #events: { readonly atMs: number; fire: (() => void) | undefined }[] = []
  #nowMs = 1_000

  nowMs = (): number => this.#nowMs
  monotonicMs = (): number => this.#nowMs

  setTimer(delayMs: number, fire: () => void): Timer {
    const event: { readonly atMs: number; fire: (() => void) | undefined } = { atMs: this.#nowMs + delayMs, fire }
    let at = this.#events.length
    while (at > 0 && this.#events[at - 1]!.atMs < event.atMs) at -= 1
    this.#events.splice(at, 0, event)
    return {
      cancel() {
        event.fire = undefined
      },
    }
  }

  async runUntil(endMs: number): Promise<void> {
    for (let next = this.#events.pop(); next !== undefined && next.atMs <= endMs; next = this.#events.pop()) {
      if (next.fire === undefined) continue
      this.#nowMs = next.atMs
      next.fire()
      await new Promise((resolve) => setImmediate(resolve))
    }
  }
}

const workers = 8
const serviceMs = 10
const capacityPerSecond = (workers * 1_000) / serviceMs
const patienceMs = 200

/** The same numbers in each run: a linear congruential generator. */
function seededRandom(): () => number {
  let state = 42
  return () => {
    state = (state * 1_103_515_245 + 12_345) % 2 ** 31
    return state / 2 ** 31
  }
}

/** Works on so many calls at a time, in the order in which they come, to the end, whether anybody still waits or not. */
function serverWith(clock: Clock, random: () => number) {
  const queue: (() => void)[] = []
  let working = 0
  const next = (): void => {
    const answer = queue.shift()
    if (answer === undefined) return
    working += 1
    clock.setTimer(-serviceMs * Math.log(1 - random()), () => {
      working -= 1
      answer()
      next()
    })
  }
  return () =>
    new Promise<void>((resolve) => {
      queue.push(resolve)
      if (working < workers) next()
    })
}

/** What share of its capacity a server answers in time, while three times as much is asked for, after six seconds of it. */
async function goodputShare(limit: ConcurrencyLimitOptions | undefined): Promise<number> {
  const clock = new Timeline()
  const random = seededRandom()
  const deps: FilterDeps = filterDeps({ clock, random, target: 'server' })
  const around = limit === undefined ? [] : [concurrencyLimit(limit, deps)]
  const send = compose([...around, timeout({ timeoutMs: patienceMs }, deps)], serverWith(clock, random))
  const [fromMs, toMs] = [7_000, 11_000]
  let answered = 0
  const arrive = (): void => {
    clock.setTimer((-1_000 / (3 * capacityPerSecond)) * Math.log(1 - random()), arrive)
    const atMs = clock.monotonicMs()
    const call = createCall({ kind: 'request', target: 'server', id: '1', payload: undefined })
    ;(async () => send(call))().then(
      () => {
        if (atMs >= fromMs) answered += 1
      },
      () => {},
    )
  }
  arrive()
  await clock.runUntil(toMs)
  return answered / ((capacityPerSecond * (toMs - fromMs)) / 1_000)
}

// Much happens in little time; a busy machine may take long over it.
describe('a server that is asked for three times as much as it can do', { timeout: 60_000 }, () => {
  it('answers next to nothing in time without a limit: the queue has everybody wait for longer than they do', async () => {
    expect(await goodputShare(undefined)).toBeLessThan(0.1)
  })

  it.each([
    ['gradient2, as it is set by default', {}],
    ['gradient2 that begins with the most that it may', { initial: 200 }],
    ['gradient2 that begins with too little', { initial: 2, min: 2, windowMs: 100 }],
    ['aimd that takes for slow what takes half of the time there is', { algorithm: 'aimd', slowMs: patienceMs / 2 }],
  ] as const)('answers at least 0.9 of what it can with %s', async (_, options) => {
    expect(await goodputShare(options)).toBeGreaterThanOrEqual(0.9)
  })

  it('answers at least half with aimd that sees no more than what is too late: that is lost work each time', async () => {
    expect(await goodputShare({ algorithm: 'aimd' })).toBeGreaterThanOrEqual(0.5)
  })
})
