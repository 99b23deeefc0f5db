import {
  type CommandContract,
  command,
  type EventContract,
  event,
  events,
  type MessageContract,
  type RequestContract,
} from '@posthaste/contracts'
import { msgpack } from '@posthaste/msgpack'
import { z } from 'zod'

/**
 * How handlers treat a message. `flaky` fails some attempts, `hopeless` all, `rejected` is refused for good, `barred` by a
 * rule that buries it apart, `ignored` is settled by a rule, `poison` kills the process, `malformed` cannot be read. All
 * but the last are cured by healing them before they are redriven.
 */
export const planKinds = [
  ...(['fine', 'slow', 'flaky', 'hopeless', 'rejected', 'barred', 'ignored', 'poison', 'malformed'] as const),
] as const

/** How one message goes. */
export interface Plan {
  readonly kind: (typeof planKinds)[number]
  /** The one group where it goes so; fine in the others. Means nothing where it is malformed. */
  readonly at: string
  /** Attempts that fail, where it is flaky. */
  readonly failures: number
}

/** Fields stand in the order in which the load makes them, so that the handler's data is the publisher's text again. */
const fields = {
  id: z.string(),
  key: z.string(),
  seq: z.int(),
  plan: z.strictObject({ kind: z.enum(planKinds), at: z.string(), failures: z.int() }),
}
const Data = z.strictObject({ ...fields, note: z.string() })
const DataBefore = z.strictObject({ ...fields, remark: z.string() })
const Answer = z.strictObject({ of: z.string(), sum: z.int() })
const Occurrence = z.strictObject({ name: z.string(), forMs: z.int() })

/** What every message of the torture carries. */
export type TortureData = z.infer<typeof Data>

type Schema = typeof Data
/** An event of torture data. */
export type TortureEvent = EventContract<Schema>
/** A command of torture data. */
export type TortureCommand = CommandContract<Schema>

const key = (data: TortureData): string => data.key
const hourMs = 3_600_000
const retention = { forMs: 24 * hourMs }

/** Followed by two groups, in the order of keys. */
export const Keyed: TortureEvent = event('torture.keyed', { data: Data, key })
/** Followed by two groups, in no order. */
export const Plain: TortureEvent = event('torture.plain', { data: Data })
/** Work of one handler, in the order of keys. */
export const Work: TortureCommand = command('torture.work', { data: Data, key })
/** Work that is scheduled, and now and then taken back. */
export const Timed: TortureCommand = command('torture.timed', { data: Data })
/** Its handler publishes one {@link Downstream} for each. */
export const Upstream: TortureEvent = event('torture.upstream', { data: Data, key })
/** Keeps its history, so that what was stored twice can be seen. */
export const Downstream: TortureEvent = event('torture.downstream', { data: Data, key, retention })
/** Handled in batches, in the order of keys. */
export const Batched: TortureEvent = event('torture.batched', { data: Data, key })
/** Handled at most once. */
export const Once: TortureEvent = event('torture.once', { data: Data })
/** Published over and over under one id, and leads to one {@link Effect}. */
export const Exact: TortureEvent = event('torture.exact', { data: Data, deduplicateForMs: hourMs })
/** What {@link Exact} leads to. Keeps its history. */
export const Effect: TortureEvent = event('torture.effect', { data: Data, retention })
/** Followed by groups that want some of it. */
export const Tagged: TortureEvent = event('torture.news.tagged', { data: Data })
/** Travels as MessagePack. */
export const Packed: TortureEvent = event('torture.news.packed', { data: Data, codec: msgpack() })
/** What older publishers still publish as {@link Revised}. */
export const RevisedBefore: EventContract<typeof DataBefore> = event('torture.news.revised', { data: DataBefore })
/** Published in two versions. */
export const Revised: TortureEvent = event('torture.news.revised', {
  data: Data,
  version: 2,
  upcasters: {
    1: (old) => {
      const { remark, ...rest } = DataBefore.parse(old)
      return { ...rest, note: remark }
    },
  },
})
/** All that {@link audit} follows, whatever its version. */
export const News = events('torture.news.*', { data: z.looseObject(fields) })
/** The group that follows {@link News}, and names the pattern's prefix. */
export const audit = { group: 'audit', prefix: 'torture.news.' } as const
/** Work that is answered. */
export const Ask: RequestContract<Schema, typeof Answer> = command('torture.ask', { data: Data, reply: Answer })
/** Work that is soon worth nothing. */
export const Brief: TortureCommand = command('torture.brief', { data: Data, timeToLiveMs: 300 })
/** Work of which some is urgent. */
export const Urgent: TortureCommand = command('torture.urgent', { data: Data, priorities: 3 })
/** Prepared, then committed or rolled back. Keeps its history. */
export const Halves: TortureEvent = event('torture.halves', { data: Data, retention })
/** What recurs. Keeps its history. */
export const Tick: EventContract<typeof Occurrence> = event('torture.tick', { data: Occurrence, retention })
/** Followed by groups that live no longer than the process. */
export const Live: TortureEvent = event('torture.live', { data: Data })
/** Work whose failures rules decide about. */
export const Ruled: TortureCommand = command('torture.ruled', { data: Data })
/** Followed by a group that is moved back now and then. Keeps its history for some seconds. */
export const Replayed: TortureEvent = event('torture.replayed', { data: Data, retention: { forMs: 10_000 } })
/** Keeps its history, so that snapshots can be held against it. */
export const Kept: TortureEvent = event('torture.kept', { data: Data, retention })
/** Some of it is too big to travel. */
export const Bulky: TortureEvent = event('torture.bulky', { data: Data })

/** Bodies over this many bytes stand in a store. */
export const overBytes = 2_048
/** The group of {@link Tick}. */
export const clockGroup = 'clock'
/** What recurs, by name. */
export const recurrences: readonly {
  readonly name: string
  readonly cron: string
  readonly missed: 'once' | 'skip'
}[] = [
  { name: 'every-second', cron: '* * * * * *', missed: 'once' },
  { name: 'every-other-second', cron: '*/2 * * * * *', missed: 'skip' },
]

/** Lives in which one more channel appears that {@link News} matches. */
const livesPerLateNews = 25

/** An event that nobody has declared before the first of some lives publishes it. */
export function lateNewsOf(life: number): TortureEvent {
  return event(`${audit.prefix}late-${Math.floor(life / livesPerLateNews)}`, { data: Data })
}

/** All that there may be up to a life. */
export function lateNewsUntil(life: number): TortureEvent[] {
  const count = Math.floor(life / livesPerLateNews) + 1
  return Array.from({ length: count }, (_, index) => lateNewsOf(index * livesPerLateNews))
}

/** A contract of any kind whose data are the torture's. */
export type TortureContract = MessageContract<Schema>
