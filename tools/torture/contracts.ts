import { type CommandContract, command, type EventContract, event } from '@posthaste/contracts'
import type { Ladder } from 'posthaste/bus'
import { z } from 'zod'

/**
 * How handlers treat a message. `flaky` fails some attempts, `hopeless` all, `rejected` is refused for good, `poison`
 * kills the process, `malformed` is no JSON. All but the last are cured by healing them before they are redriven.
 */
export const planKinds = ['fine', 'slow', 'flaky', 'hopeless', 'rejected', 'poison', 'malformed'] as const

/** How one message goes. */
export interface Plan {
  readonly kind: (typeof planKinds)[number]
  /** The one group where it goes so; fine in the others. Means nothing where it is malformed. */
  readonly at: string
  /** Attempts that fail, where it is flaky. */
  readonly failures: number
}

/** Fields stand in the order in which the load makes them, so that the handler's data is the publisher's text again. */
const Data = z.strictObject({
  id: z.string(),
  key: z.string(),
  seq: z.int(),
  plan: z.strictObject({ kind: z.enum(planKinds), at: z.string(), failures: z.int() }),
  note: z.string(),
})

/** What every message of the torture carries. */
export type TortureData = z.infer<typeof Data>

type Schema = typeof Data

const key = (data: TortureData): string => data.key

/** Followed by two groups, in the order of keys. */
export const Keyed: EventContract<Schema> = event('torture.keyed', { data: Data, key })
/** Followed by two groups, in no order. */
export const Plain: EventContract<Schema> = event('torture.plain', { data: Data })
/** Work of one handler, in the order of keys. */
export const Work: CommandContract<Schema> = command('torture.work', { data: Data, key })
/** Work that is scheduled, and now and then taken back. */
export const Timed: CommandContract<Schema> = command('torture.timed', { data: Data })
/** Its handler publishes one {@link Downstream} for each. */
export const Upstream: EventContract<Schema> = event('torture.upstream', { data: Data, key })
/** Keeps its history, so that what was stored twice can be seen. */
export const Downstream: EventContract<Schema> = event('torture.downstream', {
  data: Data,
  key,
  retention: { forMs: 86_400_000 },
})

/** A contract with the groups that handle it. */
export interface Flow {
  readonly contract: EventContract<Schema> | CommandContract<Schema>
  readonly groups: readonly string[]
}

/** Everything that is handled. */
export const flows: readonly Flow[] = [
  { contract: Keyed, groups: ['alpha', 'beta'] },
  { contract: Plain, groups: ['alpha', 'gamma'] },
  { contract: Work, groups: ['handler'] },
  { contract: Timed, groups: ['handler'] },
  { contract: Upstream, groups: ['relay'] },
  { contract: Downstream, groups: ['sink'] },
]

/** Groups by channel. */
export const groupsOf: ReadonlyMap<string, readonly string[]> = new Map(
  flows.map(({ contract, groups }) => [contract.type, groups]),
)

/** What follows a failure, by group: with and without attempts in process, with short waits. */
export function ladderOf(group: string): Ladder {
  return group === 'alpha' || group === 'relay'
    ? { immediate: 1, delayed: 8, baseMs: 20, maxMs: 80 }
    : { immediate: 0, delayed: 8, baseMs: 10, maxMs: 60 }
}
