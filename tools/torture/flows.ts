import type { BatchSubscribeOptions, SubscribeOptions } from 'posthaste'
import type { Ladder } from 'posthaste/bus'
import {
  Ask,
  audit,
  Batched,
  Brief,
  Bulky,
  Downstream,
  Effect,
  Exact,
  Halves,
  Kept,
  Keyed,
  Once,
  Packed,
  Plain,
  type Plan,
  Replayed,
  Revised,
  Ruled,
  Tagged,
  Timed,
  type TortureContract,
  Upstream,
  Urgent,
  Work,
} from './contracts.ts'

/** How one group follows a contract. */
export interface Follower {
  readonly group: string
  readonly delivery?: SubscribeOptions['delivery']
  readonly filter?: SubscribeOptions['filter']
  readonly errors?: SubscribeOptions['errors']
  /** Where it handles several at a time. */
  readonly batch?: BatchSubscribeOptions['batch']
  readonly concurrency?: number
  readonly prefetch?: number
  /** Which messages it is to get, by their headers. All if absent. */
  readonly wants?: (headers: Readonly<Record<string, string>>) => boolean
  /** Whether missing one is no loss, or is judged apart. */
  readonly mayMiss?: boolean
}

/** A contract with the groups that handle it. */
export interface Flow {
  readonly contract: TortureContract
  readonly followers: readonly Follower[]
  /** What may be wrong with messages of it. Default: what is `usual`. */
  readonly ills?: readonly Plan['kind'][]
  /** What its handler publishes for each. */
  readonly leadsTo?: TortureContract & { readonly kind: 'event' }
}

/** What goes wrong everywhere. */
export const usual: readonly Plan['kind'][] = ['hopeless', 'rejected', 'flaky', 'slow']
const gentle: readonly Plan['kind'][] = ['flaky', 'slow']
/** Shades from 0 to 9; a message may have none. */
export const darkFrom = 6
/** Unsettled deliveries of a group that acknowledges first: as many may be cut off by a crash. */
export const oncePrefetch = 8
/** Where messages stand that a rule has barred. */
export const barredTarget = 'barred'

/** What handlers fail with where rules are to decide. */
export class RuledError extends Error {
  readonly kind: 'barred' | 'ignored'

  constructor(kind: 'barred' | 'ignored') {
    super(`${kind} as planned`)
    this.kind = kind
  }
}

const isRuled =
  (kind: RuledError['kind']) =>
  ({ cause }: { readonly cause?: unknown }): boolean =>
    cause instanceof RuledError && cause.kind === kind

const rules: NonNullable<SubscribeOptions['errors']> = [
  { when: isRuled('ignored'), action: 'ignore' },
  { when: isRuled('barred'), action: 'dead-letter', deadLetterTo: barredTarget },
]

/** Everything that is handled by durable groups of their own. */
export const flows: readonly Flow[] = [
  { contract: Keyed, followers: [{ group: 'alpha' }, { group: 'beta' }] },
  { contract: Plain, followers: [{ group: 'alpha' }, { group: 'gamma' }] },
  { contract: Work, followers: [{ group: 'handler' }] },
  { contract: Timed, followers: [{ group: 'handler' }] },
  { contract: Upstream, followers: [{ group: 'relay' }], leadsTo: Downstream },
  { contract: Downstream, followers: [{ group: 'sink' }] },
  { contract: Batched, followers: [{ group: 'batcher', batch: { max: 8, waitMs: 3 }, concurrency: 2 }] },
  {
    contract: Once,
    followers: [{ group: 'once', delivery: 'at-most-once', prefetch: oncePrefetch, concurrency: 4, mayMiss: true }],
    ills: ['rejected', 'slow'],
  },
  { contract: Exact, followers: [{ group: 'exact', delivery: 'exactly-once' }], ills: gentle, leadsTo: Effect },
  { contract: Effect, followers: [{ group: 'sink' }] },
  {
    contract: Tagged,
    followers: [
      { group: 'bright', filter: { tag: ['red', 'green'] }, wants: ({ tag }) => tag === 'red' || tag === 'green' },
      {
        group: 'dark',
        filter: { sql: `EXISTS shade AND INT(shade) >= ${darkFrom}` },
        wants: ({ shade }) => shade !== undefined && Number(shade) >= darkFrom,
      },
    ],
  },
  { contract: Packed, followers: [{ group: 'alpha' }] },
  { contract: Revised, followers: [{ group: 'alpha' }] },
  { contract: Ask, followers: [{ group: 'handler', mayMiss: true }], ills: ['rejected', 'flaky', 'slow'] },
  { contract: Brief, followers: [{ group: 'handler' }], ills: gentle },
  { contract: Urgent, followers: [{ group: 'handler', concurrency: 4 }] },
  { contract: Halves, followers: [{ group: 'alpha' }], ills: gentle },
  { contract: Ruled, followers: [{ group: 'handler', errors: rules }], ills: ['barred', 'ignored', 'flaky'] },
  { contract: Replayed, followers: [{ group: 'replay', mayMiss: true }], ills: ['slow'] },
  { contract: Kept, followers: [{ group: 'alpha' }], ills: ['slow'] },
  { contract: Bulky, followers: [{ group: 'alpha' }] },
]

const followersByChannel = new Map(flows.map(({ contract, followers }) => [contract.type, followers]))
const auditor: Follower = { group: audit.group }
const auditorAlone: readonly Follower[] = [auditor]

/** Who is to handle what is published to a channel, those who follow it by a pattern included. */
export function followersOf(channel: string): readonly Follower[] {
  const own = followersByChannel.get(channel)
  if (!channel.startsWith(audit.prefix)) return own ?? []
  return own === undefined ? auditorAlone : [...own, auditor]
}

/** How a contract is followed; what appears late is followed by a pattern alone. */
export function flowOf(contract: TortureContract): Flow {
  return flows.find((flow) => flow.contract === contract) ?? { contract, followers: [] }
}

/** The group that handles what leads to messages of a channel. */
export const relays: ReadonlyMap<string, { readonly channel: string; readonly group: string }> = new Map(
  flows.flatMap(({ contract, followers, leadsTo }) =>
    leadsTo === undefined ? [] : [[leadsTo.type, { channel: contract.type, group: followers[0]!.group }] as const],
  ),
)

/** What follows a failure, by group: with and without attempts in process, with short waits. */
export function ladderOf(group: string): Ladder {
  return group === 'alpha' || group === 'relay'
    ? { immediate: 1, delayed: 8, baseMs: 20, maxMs: 80 }
    : { immediate: 0, delayed: 8, baseMs: 10, maxMs: 60 }
}
