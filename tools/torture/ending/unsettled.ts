import { type Engine, PosthasteError } from '@posthaste/contracts'
import { clockGroup, lateNewsUntil, Tick } from '../contracts.ts'
import { flows, followersOf } from '../flows.ts'
import type { GroupName } from '../journal.ts'

/** How many messages a group has not settled. */
export interface Unsettled extends GroupName {
  readonly count: number
}

/** Every group that handles messages, those that follow by a pattern included. */
export function groupsUntil(life: number): GroupName[] {
  const channels = [...flows.map(({ contract }) => contract), ...lateNewsUntil(life)].map(({ type }) => type)
  return channels.flatMap((channel) => followersOf(channel).map(({ group }) => ({ channel, group })))
}

/** What all groups have not settled; new ticks come all the time, so theirs are left out unless asked for. */
export async function unsettled(engine: Engine, life: number, alsoTicks: boolean): Promise<Unsettled[]> {
  const groups = groupsUntil(life)
  if (alsoTicks) groups.push({ channel: Tick.type, group: clockGroup })
  return Promise.all(groups.map(async (name) => ({ ...name, count: await countOf(engine, name) })))
}

async function countOf(engine: Engine, { channel, group }: GroupName): Promise<number> {
  try {
    const { ready, waiting, inFlight } = await engine.lag!.lag(channel, group)
    return ready + waiting + inFlight
  } catch (error) {
    // No life has come so far as to publish it.
    if (PosthasteError.is(error, 'NOT_FOUND')) return 0
    throw error
  }
}
