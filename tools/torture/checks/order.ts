import { type Fault, type History, type Moment, nameOf, wasDead } from '../history.ts'
import type { Place, Start } from '../journal.ts'

/** A message of a key in a group, as far as its order goes. */
interface Member {
  readonly place: Place
  readonly seq: number
  readonly starts: readonly (Start & Moment)[]
  /** Position of the first success. */
  readonly handledAt: number
}

/**
 * The order of a key in a group: no message is begun, not even in vain, before those published earlier have succeeded.
 * Dead letters have given up their place, and so has what they publish when they are redriven; until then they had one.
 */
export function orderFaults(history: History): Fault[] {
  const faults: Fault[] = []
  for (const members of membersByKey(history).values()) {
    members.sort((a, b) => a.seq - b.seq)
    faults.push(...overtakers(history, members), ...repeatsOutOfOrder(members))
  }
  return faults
}

function membersByKey(history: History): Map<string, Member[]> {
  const byKey = new Map<string, Member[]>()
  for (const { place, message, steps } of history.handlings.values()) {
    const said = message?.said
    if (said?.key === undefined) continue
    if (said.t === 'derived' && wasDead(history, { channel: 'torture.upstream', group: 'relay', id: said.of })) continue
    const redrivenAt = steps.find(({ t }) => t === 'redriving')?.at ?? Number.POSITIVE_INFINITY
    const starts = steps.filter((step) => step.t === 'start' && step.at < redrivenAt) as (Start & Moment)[]
    const success = steps.find((step) => step.t === 'end' && step.outcome === 'success')
    const key = `${place.channel} ${place.group} ${said.key}`
    const members = byKey.get(key) ?? []
    byKey.set(key, members)
    members.push({ place, seq: said.seq, starts, handledAt: success?.at ?? Number.POSITIVE_INFINITY })
  }
  return byKey
}

/** Messages that were begun while an earlier one had not succeeded yet. */
function overtakers(history: History, members: readonly Member[]): Fault[] {
  const faults: Fault[] = []
  let latest: Member | undefined
  for (const member of members) {
    const first = member.starts[0]
    if (latest !== undefined && first !== undefined && first.at < latest.handledAt) {
      faults.push({ kind: 'order', text: `${nameOf(member.place)} was begun before ${latest.place.id} had succeeded` })
    }
    const counts = member.starts.length > 0 && !wasDead(history, member.place)
    if (counts && (latest === undefined || member.handledAt > latest.handledAt)) latest = member
  }
  return faults
}

/** A crash may bring messages again, but within a life each comes after those before it. */
function repeatsOutOfOrder(members: readonly Member[]): Fault[] {
  const starts = members.flatMap((member) => member.starts.map((start) => ({ ...start, member })))
  starts.sort((a, b) => a.at - b.at)
  const faults: Fault[] = []
  let before: (typeof starts)[number] | undefined
  for (const start of starts) {
    if (before?.life === start.life && start.member.seq < before.member.seq) {
      faults.push({ kind: 'order', text: `${nameOf(start)} came after ${before.id} in life ${start.life}` })
    }
    before = start
  }
  return faults
}

/** Handlers of one key run one at a time. */
export function overlapFaults(history: History): Fault[] {
  const faults: Fault[] = []
  const open = new Map<string, { readonly id: string; readonly life: number }>()
  for (const entry of history.entries) {
    if (entry.t !== 'start' && entry.t !== 'end') continue
    const key = history.messages.get(entry.id)?.said.key
    if (key === undefined) continue
    const name = `${entry.channel} ${entry.group} ${key}`
    const running = open.get(name)
    if (entry.t === 'end') open.delete(name)
    else {
      if (running?.life === entry.life && running.id !== entry.id) {
        faults.push({ kind: 'overlap', text: `${nameOf(entry)} was begun while ${running.id} of its key ran` })
      }
      open.set(name, { id: entry.id, life: entry.life })
    }
  }
  return faults
}
