import {
  type Delivery,
  type EngineState,
  type EngineSubscription,
  type GroupSpec,
  type OutgoingRecord,
  PosthasteError,
  type Settlement,
} from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { recordingLog } from 'posthaste/testing'
import type { DurableSubscriptionSpec } from '../src/durable-engine.ts'
import { EmbeddedEngine } from '../src/engine.ts'

/** An engine on a directory, on the machine's time, with what it told its host. */
export async function opened(dir: string) {
  const log = recordingLog()
  const states: [EngineState, PosthasteError | undefined][] = []
  const engine = new EmbeddedEngine({ dir })
  const onState = (state: EngineState, cause?: PosthasteError) => void states.push([state, cause])
  await engine.open({ clock: systemClock, log, instance: 'test', random: () => 0.5, onState })
  return { engine, log, states }
}

/** Declares a keyed channel `c`, with groups. */
export async function declared(
  engine: EmbeddedEngine,
  groups: readonly string[] = ['g'],
  how: { kind?: 'log' | 'queue'; from?: GroupSpec['from'] } = {},
): Promise<void> {
  const { kind = 'log', from = 'earliest' } = how
  await engine.declare({
    channels: [{ name: 'c', kind, keyed: true }],
    groups: groups.map((group) => ({ channel: 'c', group, from })),
  })
}

/** Publishes and expects all of it to be confirmed. */
export async function published(engine: EmbeddedEngine, ...records: readonly OutgoingRecord[]): Promise<void> {
  for (const outcome of await engine.publish(records)) if (!outcome.ok) throw outcome.error
}

/** A member that keeps what it gets. */
export class TestMember {
  readonly received: Delivery[] = []
  readonly ended: PosthasteError[] = []
  #subscription: EngineSubscription | undefined
  #taken = 0

  static async join(
    engine: EmbeddedEngine,
    credit: number,
    where: string | Partial<DurableSubscriptionSpec> = {},
  ): Promise<TestMember> {
    const member = new TestMember()
    const spec = typeof where === 'string' ? { group: where } : where
    member.#subscription = await engine.subscribe(
      { channel: 'c', group: 'g', member: 'm', ...spec },
      {
        deliver: (batch) => void member.received.push(...batch),
        lost: () => {},
        closed: (cause) => void member.ended.push(cause),
      },
    )
    member.#subscription.grant(credit)
    return member
  }

  get subscription(): EngineSubscription {
    if (this.#subscription === undefined) throw new PosthasteError('INTERNAL', 'the member has not joined')
    return this.#subscription
  }

  /** Waits for this many deliveries that were not taken before. */
  async take(count: number): Promise<readonly Delivery[]> {
    while (this.received.length < this.#taken + count) await new Promise((resolve) => setImmediate(resolve))
    this.#taken += count
    return this.received.slice(this.#taken - count, this.#taken)
  }

  async settle(...batch: readonly Settlement[]): Promise<void> {
    for (const outcome of await this.subscription.settle(batch)) if (!outcome.ok) throw outcome.error
  }

  /** Ids of all that was received, in order. */
  get ids(): readonly string[] {
    return this.received.map(({ record }) => record.id)
  }
}

/** Lets the engine do what it should not: a few transactions and turns go by. */
export async function lull(engine: EmbeddedEngine): Promise<void> {
  for (let round = 0; round < 5; round++) {
    await engine.publish([])
    await new Promise((resolve) => setImmediate(resolve))
  }
}
