import type {
  Clock,
  Delivery,
  Engine,
  EngineSubscription,
  Log,
  Outcome,
  OutgoingRecord,
  Settlement,
} from '@posthaste/contracts'
import { embedded } from '@posthaste/embedded'
import { systemClock } from 'posthaste/pipeline'

const silent = (): void => {}
const log: Log = { debug: silent, info: silent, warn: silent, error: console.error }

/** The machine's clock, that may be set ahead. */
export class SkewedClock implements Clock {
  aheadMs = 0
  nowMs = (): number => systemClock.nowMs() + this.aheadMs
  monotonicMs = (): number => systemClock.monotonicMs() + this.aheadMs
  setTimer = (delayMs: number, fire: () => void) => systemClock.setTimer(delayMs, fire)
}

/** An open engine, and how long opening took. */
export interface OpenEngine {
  readonly engine: Engine
  readonly openMs: number
}

/** Opens the embedded engine on a directory. */
export async function openEngine(dir: string, clock: Clock = systemClock): Promise<OpenEngine> {
  const engine = embedded({ dir })
  const beganAtMs = performance.now()
  await engine.open({ clock, log, instance: 'bench', random: () => 0.5, onState: silent })
  return { engine, openMs: performance.now() - beganAtMs }
}

/** What the records of a measurement are like. */
export interface RecordShape {
  readonly bytes: number
  readonly channelOf?: (index: number) => string
  readonly keyOf?: (index: number) => string
  readonly dueAtMsOf?: (index: number) => number
}

/** Makes records with ids of their own. */
export function recordsOf({ bytes, channelOf, keyOf, dueAtMsOf }: RecordShape): (index: number) => OutgoingRecord {
  const body = Buffer.alloc(bytes, 'x')
  return (index) => ({
    id: `01936d2e-0000-7000-8000-${index.toString().padStart(12, '0')}`,
    channel: channelOf?.(index) ?? 'c',
    key: keyOf?.(index),
    headers: { type: 'bench.limits', source: '/bench', time: '2026-01-01T00:00:00.000Z' },
    body,
    dueAtMs: dueAtMsOf?.(index),
  })
}

/** Publishes in batches, with so many records under way at a time. */
export async function publishAll(
  engine: Engine,
  record: (index: number) => OutgoingRecord,
  {
    from = 0,
    to,
    batch = 256,
    outstanding = 4_096,
  }: { from?: number; to: number; batch?: number; outstanding?: number },
): Promise<void> {
  let next = from
  const lane = async (): Promise<void> => {
    while (next < to) {
      const records: OutgoingRecord[] = []
      while (records.length < batch && next < to) records.push(record(next++))
      requireOk(await engine.publish(records))
    }
  }
  await Promise.all(Array.from({ length: Math.max(1, Math.floor(outstanding / batch)) }, lane))
}

/** Throws the first failure. */
export function requireOk(outcomes: readonly Outcome[]): void {
  for (const outcome of outcomes) if (!outcome.ok) throw outcome.error
}

/** What a consumer does with a delivery. */
export type Decide = (delivery: Delivery) => Settlement

/** Acknowledges, or does as it is told, and counts. */
export class Consumer {
  settled = 0
  readonly #decide: Decide
  #subscription: EngineSubscription | undefined
  #failure: unknown
  #awaited: { count: number; resolve: () => void } | undefined

  private constructor(decide: Decide) {
    this.#decide = decide
  }

  static async join(
    engine: Engine,
    { channel = 'c', group = 'g', prefetch = 1_024 }: { channel?: string; group?: string; prefetch?: number } = {},
    decide: Decide = ({ tag }) => ({ kind: 'ack', tag }),
  ): Promise<Consumer> {
    const consumer = new Consumer(decide)
    consumer.#subscription = await engine.subscribe(
      { channel, group, member: 'm' },
      {
        deliver: (batch) => void consumer.#settle(batch),
        lost: silent,
        closed: (cause) => consumer.#fail(cause),
      },
    )
    consumer.#subscription.grant(prefetch)
    return consumer
  }

  async #settle(batch: readonly Delivery[]): Promise<void> {
    const subscription = this.#subscription!
    try {
      const settlements = batch.map(this.#decide)
      const settled = subscription.settle(settlements)
      subscription.grant(batch.length)
      requireOk(await settled)
    } catch (error) {
      this.#fail(error)
    }
    this.settled += batch.length
    if (this.#awaited !== undefined && this.settled >= this.#awaited.count) this.#awaited.resolve()
  }

  #fail(cause: unknown): void {
    this.#failure = cause
    this.#awaited?.resolve()
  }

  /** Waits until so many are settled, durably. */
  async has(count: number): Promise<void> {
    if (this.settled < count)
      await new Promise<void>((resolve) => {
        this.#awaited = { count, resolve }
      })
    if (this.#failure !== undefined) throw this.#failure
  }

  async stop(): Promise<void> {
    await this.#subscription?.stop()
  }
}
