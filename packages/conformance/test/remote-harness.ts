import type { Delivery, DeliverySink, Engine, EngineSubscription } from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { systemClock } from 'posthaste/pipeline'
import { seeded } from '../src/faults/seeded.ts'
import { type EngineHarness, engineUnderTest } from '../src/harness.ts'

/** Passes things on some milliseconds later, in order. */
class Wire {
  readonly #latencyMs: () => number
  readonly #waiting: { readonly atMs: number; readonly arrive: () => void }[] = []

  constructor(latencyMs: () => number) {
    this.#latencyMs = latencyMs
  }

  pass(arrive: () => void): void {
    this.#waiting.push({ atMs: performance.now() + this.#latencyMs(), arrive })
    if (this.#waiting.length === 1) this.#wake()
  }

  crossed(): Promise<void> {
    return new Promise((resolve) => this.pass(resolve))
  }

  #wake(): void {
    const [first] = this.#waiting
    if (first === undefined) return
    const arrive = () => {
      const nowMs = performance.now()
      const late = this.#waiting.findIndex(({ atMs }) => atMs > nowMs)
      const due = this.#waiting.splice(0, late < 0 ? this.#waiting.length : late)
      for (const each of due) each.arrive()
      this.#wake()
    }
    setTimeout(arrive, Math.max(1, first.atMs - performance.now()))
  }
}

/** The engine at the far end of a network: every call, every answer and every delivery takes some milliseconds. */
function remote(engine: Engine): Engine {
  const chosen = seeded(1)
  const latencyMs = () => chosen.between(1, 6)
  const [there, back] = [new Wire(latencyMs), new Wire(latencyMs)]
  const call = async <T>(work: () => Promise<T>): Promise<T> => {
    await there.crossed()
    try {
      return await work()
    } finally {
      await back.crossed()
    }
  }
  const far = <T extends object>(part: T | undefined): T | undefined =>
    part &&
    (Object.fromEntries(
      allKeys(part).map((name) => {
        const method = Reflect.get(part, name) as (...args: readonly unknown[]) => Promise<unknown>
        return [name, (...args: readonly unknown[]) => call(() => method.apply(part, [...args]))]
      }),
    ) as T)
  const abilities = Object.fromEntries(
    (['scheduling', 'browsing', 'lag', 'seeking', 'preparing', 'patterns'] as const).flatMap((name) => {
      const part = far<object>(engine[name])
      return part === undefined ? [] : [[name, part]]
    }),
  )
  return {
    name: 'remote',
    get capabilities() {
      return { ...engine.capabilities, delayPrecisionMs: 100 }
    },
    open: (host) => call(() => engine.open(host)),
    declare: (topology) => call(() => engine.declare(topology)),
    publish: (records) => call(() => engine.publish(records)),
    close: () => call(() => engine.close()),
    async subscribe(spec, sink): Promise<EngineSubscription> {
      const farSink: DeliverySink = {
        deliver(batch: readonly Delivery[]) {
          back.pass(() => sink.deliver(batch))
        },
        lost: (tags, reason) => back.pass(() => sink.lost(tags, reason)),
        closed: (cause) => back.pass(() => sink.closed(cause)),
      }
      const joined = await call(() => engine.subscribe(spec, farSink))
      return {
        grant: (credit) => there.pass(() => joined.grant(credit)),
        settle: (batch) => call(() => joined.settle(batch)),
        extend: (tags) => call(() => joined.extend(tags)),
        stop: () => call(() => joined.stop()),
      }
    },
    ...abilities,
  }
}

function allKeys(part: object): readonly string[] {
  const own = Object.keys(part)
  const inherited = Object.getOwnPropertyNames(Object.getPrototypeOf(part) ?? {})
  return [...new Set([...own, ...inherited])].filter(
    (name) => name !== 'constructor' && typeof Reflect.get(part, name) === 'function',
  )
}

/** The memory engine as if it stood on another machine: no case may count on an answer within a turn. */
export const harness: EngineHarness = {
  parallel: 8,
  create() {
    const store = memoryStore()
    return engineUnderTest({
      connect: () => remote(memory({ store })),
      clock: systemClock,
      crash: async () => store.crash(),
    })
  },
}
