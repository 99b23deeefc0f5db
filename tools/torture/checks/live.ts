import { Live } from '../contracts.ts'
import { type Fault, factsOf, groupNameOf, type History, isStart, type Message, nameOf } from '../history.ts'

/** How groups went that live no longer than their process. */
export interface LiveGroups {
  readonly temporaryGroups: number
  /** Messages that they got. */
  readonly live: number
}

/**
 * Groups that live no longer than the process get what is published in their life, without gaps, and nothing else; and none
 * is there in the end.
 */
export function liveFaults(history: History): { readonly counts: LiveGroups; readonly faults: Fault[] } {
  const faults: Fault[] = []
  let live = 0
  /** The last that each group got in each life. */
  const latest = new Map<string, number>()
  const got = new Set<string>()
  for (const { place, message, steps } of history.handlings.values()) {
    if (place.channel !== Live.type || message === undefined) continue
    for (const step of steps) {
      if (!isStart(step)) continue
      live += 1
      if (step.life !== message.since.life) {
        const text = `${nameOf(place)} of life ${message.since.life} came in life ${step.life}`
        faults.push({ kind: 'live-stale', text })
      }
      const name = `${place.group} ${step.life}`
      latest.set(name, Math.max(latest.get(name) ?? 0, message.said.seq))
      got.add(`${place.group} ${place.id}`)
    }
  }
  for (const message of history.messages.values()) faults.push(...gapsOf(message, { latest, got }))
  for (const group of factsOf(history, 'left-over')) {
    faults.push({ kind: 'group-left-over', text: `${groupNameOf(group)} is still there` })
  }
  const temporaryGroups = factsOf(history, 'temporary').reduce((sum, { count }) => sum + count, 0)
  return { counts: { temporaryGroups, live }, faults }
}

interface Got {
  readonly latest: ReadonlyMap<string, number>
  readonly got: ReadonlySet<string>
}

/** Groups that got a later message of the same life, and not this one. */
function gapsOf({ said, since, confirmedAt }: Message, { latest, got }: Got): Fault[] {
  if (said.channel !== Live.type || confirmedAt === undefined) return []
  return ['screen', 'visitor'].flatMap((group) => {
    const isMissed = said.seq < (latest.get(`${group} ${since.life}`) ?? 0) && !got.has(`${group} ${said.id}`)
    return isMissed ? [{ kind: 'live-missed' as const, text: `${said.id} was passed over for ${group}` }] : []
  })
}
