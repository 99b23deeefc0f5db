import { relays } from '../flows.ts'
import { type Fault, type History, isStart, isSuccess, type Moment, nameOf, type Step, wasDead } from '../history.ts'
import type { Place, Start } from '../journal.ts'

type Beginning = Moment & Omit<Start, keyof Place>

/** A message of a key in a group, as far as its order goes. */
interface Member {
  readonly place: Place
  readonly seq: number
  readonly starts: readonly Beginning[]
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
    if (said.t === 'derived' && wasDead(history, { ...relays.get(said.channel)!, id: said.of })) continue
    const redrivenAt = steps.find(({ t }) => t === 'redriving')?.at ?? Number.POSITIVE_INFINITY
    const starts = steps.filter((step): step is Beginning => isStart(step) && step.at < redrivenAt)
    const success = steps.find(isSuccess)
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
      const text = `${nameOf(start.member.place)} came after ${before.member.place.id} in life ${start.life}`
      faults.push({ kind: 'order', text })
    }
    before = start
  }
  return faults
}

interface Running {
  readonly id: string
  readonly life: number
  readonly batch: number | undefined
}

/** Handlers of one key run one at a time, and of a batch at most one message is of a key. */
export function overlapFaults(history: History): Fault[] {
  const faults: Fault[] = []
  for (const steps of stepsByKey(history).values()) {
    steps.sort((a, b) => a.at - b.at)
    let running: Running | undefined
    for (const { place, ...step } of steps) {
      if (!isStart(step)) running = undefined
      else {
        if (running?.life === step.life && running.id !== place.id) faults.push(overlapOf(place, running, step))
        running = { id: place.id, life: step.life, batch: step.batch }
      }
    }
  }
  return faults
}

function overlapOf(place: Place, running: Running, step: Beginning): Fault {
  if (running.batch !== undefined && running.batch === step.batch) {
    return { kind: 'batch-key-doubled', text: `${nameOf(place)} came in one batch with ${running.id} of its key` }
  }
  return { kind: 'overlap', text: `${nameOf(place)} was begun while ${running.id} of its key ran` }
}

function stepsByKey(history: History): Map<string, (Step & { readonly place: Place })[]> {
  const byKey = new Map<string, (Step & { readonly place: Place })[]>()
  for (const { place, message, steps } of history.handlings.values()) {
    const key = message?.said.key
    if (key === undefined) continue
    const name = `${place.channel} ${place.group} ${key}`
    const known = byKey.get(name) ?? []
    byKey.set(name, known)
    for (const step of steps) if (step.t === 'start' || step.t === 'end') known.push({ ...step, place })
  }
  return byKey
}
