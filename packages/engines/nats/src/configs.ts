import {
  AckPolicy,
  type ConsumerConfig,
  type ConsumerInfo,
  DeliverPolicy,
  DiscardPolicy,
  RetentionPolicy,
  StorageType,
  type StreamConfig,
  type StreamInfo,
} from '@nats-io/jetstream'
import { nanos } from '@nats-io/nats-core'
import { type ChannelSpec, type GroupSpec, PosthasteError } from '@posthaste/contracts'
import type { Channel, Group } from './channel.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'

/** What the server does not keep itself stands in the description of a stream. */
export interface Description {
  readonly posthaste: 1
  readonly spec: ChannelSpec
  readonly keyRanges: number
}

/** Messages whose ids a stream remembers where the channel does not ask for it: moves are told apart by it. */
const moveWindowMs = 120_000

/** The server has a default of 1,000, and stops delivering at it. */
const unlimited = -1

/** Pulls that may wait at one consumer; each member has a few. */
const pullsMax = 4_096

/**
 * The consumer of what waits for its time, where some process hands it on; elsewhere it only holds it in a stream that would
 * keep nothing but what somebody is to consume.
 */
export const laterConsumer = '@later'

export type StreamWish = Partial<StreamConfig> & { name: string }

/** What the objects at the server depend on. */
export interface ConfigSurroundings {
  readonly link: Link
  readonly names: Names
}

/** How a consumer is to begin, of which range. */
export type ConsumerWish = Pick<GroupSpec, 'group' | 'from' | 'lifetime'> & { readonly range?: number | undefined }

/** The stream of a channel. */
export function streamConfig({ link, names }: ConfigSurroundings, spec: ChannelSpec): StreamWish {
  const { features, settings } = link
  const { stream, records, later } = names.channel(spec.name, spec.keyed)
  const keyRanges = spec.keyed ? settings.keyRanges : 0
  const description: Description = { posthaste: 1, spec: plainSpec(spec), keyRanges }
  return {
    name: stream,
    description: JSON.stringify(description),
    subjects: [records, `${later}.*.*.*.*`],
    retention: retentionOf(spec),
    storage: StorageType.File,
    num_replicas: settings.replicas,
    discard: DiscardPolicy.Old,
    duplicate_window: nanos(spec.deduplicateForMs ?? moveWindowMs),
    allow_direct: true,
    allow_rollup_hdrs: true,
    ...(features.schedules ? { allow_msg_schedules: true } : {}),
  }
}

/** How a group reads a channel, or one range of it. */
export function consumerConfig(
  { link, names }: ConfigSurroundings,
  channel: Channel,
  { group, from, lifetime, range }: ConsumerWish,
): Partial<ConsumerConfig> {
  const begins = channel.spec.kind === 'queue' || from === 'earliest' ? DeliverPolicy.All : DeliverPolicy.New
  return {
    durable_name: names.consumer(group, range),
    description: JSON.stringify({ posthaste: 1, lifetime: lifetime ?? 'durable' }),
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(serverLeaseMs(link.settings.leaseMs)),
    max_deliver: unlimited,
    max_ack_pending: unlimited,
    max_waiting: pullsMax,
    deliver_policy: begins,
    ...filterOf(channel, { group, range, several: link.features.severalFilters }),
  }
}

interface FilterWish {
  readonly group: string
  readonly range: number | undefined
  /** Whether a consumer may have several filters. */
  readonly several: boolean
}

/**
 * A queue has one group, which gets everything. A group of a log gets what is for all and what is for it; where the
 * server allows one filter only, what is for others comes too, and is passed over.
 */
function filterOf({ names, spec }: Channel, { group, range, several }: FilterWish): Partial<ConsumerConfig> {
  if (spec.kind === 'queue' || !several) {
    return { filter_subject: range === undefined ? names.records : names.records.replace(/\*$/, String(range)) }
  }
  return { filter_subjects: [names.subject(undefined, range), names.subject(group, range)] }
}

/** The consumer of what waits for its time; undefined where nobody needs one. */
export function laterConfig(link: Link, { retention, subjects = [] }: StreamWish): Partial<ConsumerConfig> | undefined {
  const { features, settings } = link
  if (features.schedules && retention !== RetentionPolicy.Interest) return undefined
  return {
    durable_name: laterConsumer,
    ack_policy: AckPolicy.Explicit,
    ack_wait: nanos(Math.max(10_000, settings.timeoutMs * 2)),
    max_deliver: unlimited,
    max_ack_pending: unlimited,
    max_waiting: pullsMax,
    deliver_policy: DeliverPolicy.All,
    filter_subject: subjects[1] ?? '',
  }
}

/** Keeps everything that is to be consumed while the consumers of a group are made anew. */
export function guardConsumer(records: string): Partial<ConsumerConfig> {
  return {
    durable_name: '@guard',
    ack_policy: AckPolicy.Explicit,
    deliver_policy: DeliverPolicy.All,
    filter_subject: records,
  }
}

/**
 * How long the server waits before it gives a delivery to somebody else: longer than its member believes to have it, so
 * that nobody settles what is somebody else's.
 */
export function serverLeaseMs(leaseMs: number): number {
  return leaseMs + Math.max(200, Math.round(leaseMs / 10))
}

/** A log without retention keeps what a group has not settled; one with it is trimmed by us, who know what groups need. */
function retentionOf({ kind, retention }: ChannelSpec): RetentionPolicy {
  if (kind === 'queue') return RetentionPolicy.Workqueue
  return retention === undefined ? RetentionPolicy.Interest : RetentionPolicy.Limits
}

function plainSpec({ name, kind, keyed, retention, deduplicateForMs }: ChannelSpec): ChannelSpec {
  return { name, kind, keyed, retention, deduplicateForMs }
}

/** @throws FAILED_PRECONDITION when the stream is not one of ours */
export function descriptionOf(name: string, { config }: Pick<StreamInfo, 'config'>): Description {
  const description = ownDescription<Description>(config)
  if (description !== undefined) return description
  throw new PosthasteError(
    'FAILED_PRECONDITION',
    `channel ${name}: the stream ${config.name} was not made by Posthaste`,
    {
      remedy: 'Delete the stream, or use another prefix.',
    },
  )
}

type Described = Pick<StreamConfig | ConsumerConfig, 'description'>

/** What Posthaste has described a stream or consumer with; undefined for what others have made. */
export function ownDescription<T extends { readonly posthaste: 1 }>(config: Described): T | undefined {
  try {
    const description = JSON.parse(config.description ?? '') as T | null
    return description?.posthaste === 1 ? description : undefined
  } catch {
    return undefined
  }
}

export function lifetimeOf({ config }: ConsumerInfo): Group['lifetime'] {
  return config.description?.includes('"lifetime":"temporary"') ? 'temporary' : 'durable'
}
