import type {
  ChannelSpec,
  Delivery,
  DeliverySink,
  Engine,
  EngineSubscription,
  OutgoingRecord,
  PosthasteError,
  RecordFilter,
} from '@posthaste/contracts'
import { type ManualClock, manualClock, type RecordingLog, recordingLog } from 'posthaste/testing'
import { type MemoryOptions, memory } from '../src/engine.ts'

/** An open engine on a clock that stands. */
export interface Rig {
  readonly engine: Engine
  readonly clock: ManualClock
  readonly log: RecordingLog
  readonly states: readonly string[]
}

export async function openEngine(options: MemoryOptions = {}, clock = manualClock()): Promise<Rig> {
  const engine = memory(options)
  const log = recordingLog()
  const states: string[] = []
  await engine.open({ clock, log, instance: 'test', random: () => 0, onState: (state) => states.push(state) })
  return { engine, clock, log, states }
}

/** Declares channel `c` with its groups. */
export async function declare(engine: Engine, spec: Partial<ChannelSpec> = {}, groups = ['g']): Promise<void> {
  const channel: ChannelSpec = { name: 'c', kind: 'log', keyed: true, ...spec }
  await engine.declare({
    channels: [channel],
    groups: groups.map((group) => ({ channel: channel.name, group, from: 'earliest' })),
  })
}

export function record(id: string, wish: Partial<OutgoingRecord> = {}): OutgoingRecord {
  return { id, channel: 'c', headers: {}, body: new Uint8Array(), ...wish }
}

/** A member that keeps what it gets. */
export interface Member extends EngineSubscription {
  readonly received: readonly Delivery[]
  readonly ids: () => readonly string[]
  readonly ends: readonly PosthasteError[]
}

export async function join(
  engine: Engine,
  credit = 100,
  options: { channel?: string; group?: string; sink?: Partial<DeliverySink>; filter?: RecordFilter } = {},
) {
  const received: Delivery[] = []
  const ends: PosthasteError[] = []
  const sink: DeliverySink = {
    deliver: (batch) => void received.push(...batch),
    lost() {},
    closed: (cause) => void ends.push(cause),
    ...options.sink,
  }
  const { channel = 'c', group = 'g', filter } = options
  const subscription = await engine.subscribe({ channel, group, member: 'm', filter }, sink)
  if (credit > 0) subscription.grant(credit)
  const member: Member = {
    received,
    ends,
    ids: () => received.map((delivery) => delivery.record.id),
    grant: (more) => subscription.grant(more),
    settle: (batch) => subscription.settle(batch),
    extend: (tags) => subscription.extend(tags),
    stop: () => subscription.stop(),
  }
  return member
}
