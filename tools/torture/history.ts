import type { Dead, Derived, End, Entry, Intent, Place, Start } from './journal.ts'

/** One thing that is wrong. */
export interface Fault {
  readonly kind: FaultKind
  readonly text: string
}

/** What can be wrong; each is proved to be found by a test. */
export const faultKinds = [
  'lost',
  'corrupt',
  'order',
  'overlap',
  'attempt-reset',
  'misdirected',
  'duplicate-within-life',
  'early',
  'cancelled-delivered',
  'dead-letter-altered',
  'dead-letter-unjust',
  'dead-letter-doubled',
  'dead-letter-handled',
  'downstream-doubled',
  'downstream-orphan',
  'id-not-derived',
  'undrained',
  'error',
] as const
/** One of {@link faultKinds}. */
export type FaultKind = (typeof faultKinds)[number]

/** When something happened: the how-manieth entry over all lives, and the life. */
export interface Moment {
  readonly at: number
  readonly life: number
}

/** A message that may or must exist. */
export interface Message {
  readonly said: Intent | Derived
  confirmed: boolean
  cancel: 'none' | 'tried' | 'done' | 'refused'
}

/** One thing that happened to a message in a group. */
export type Step = Moment & (Start | End | ({ readonly t: 'redriving' } & Place))

/** All that happened to one message in one group, in order. */
export interface Handling {
  readonly place: Place
  readonly message: Message | undefined
  readonly steps: Step[]
}

/** All that happened, merged over all lives and sorted by what it happened to. */
export interface History {
  readonly entries: readonly (Entry & Moment)[]
  readonly messages: ReadonlyMap<string, Message>
  readonly handlings: ReadonlyMap<string, Handling>
  /** Dead letters at the end, by {@link nameOf}. */
  readonly dead: ReadonlyMap<string, readonly Dead[]>
  /** How often each id stood in the history of its channel at the end. */
  readonly stored: ReadonlyMap<string, number>
}

/** Text that names a handling. */
export function nameOf({ channel, group, id }: Place): string {
  return `${id} in ${channel}@${group}`
}

/** Merges the journals of all lives, oldest first. */
export function historyOf(lives: readonly (readonly Entry[])[]): History {
  let at = 0
  const entries = lives.flatMap((life, index) => life.map((entry) => ({ ...entry, at: at++, life: index })))
  const messages = messagesOf(entries)
  const handlings = new Map<string, Handling>()
  const dead = new Map<string, Dead[]>()
  const stored = new Map<string, number>()
  for (const entry of entries) {
    if (entry.t === 'start' || entry.t === 'end' || entry.t === 'redriving') {
      const name = nameOf(entry)
      const handling = handlings.get(name) ?? { place: entry, message: messages.get(entry.id), steps: [] }
      handlings.set(name, handling)
      handling.steps.push(entry)
    } else if (entry.t === 'dead') {
      const name = nameOf(entry)
      dead.set(name, [...(dead.get(name) ?? []), entry])
    } else if (entry.t === 'stored') stored.set(entry.id, (stored.get(entry.id) ?? 0) + 1)
  }
  return { entries, messages, handlings, dead, stored }
}

function messagesOf(entries: readonly Entry[]): Map<string, Message> {
  const messages = new Map<string, Message>()
  for (const entry of entries) {
    if (entry.t === 'intent') messages.set(entry.id, { said: entry, confirmed: false, cancel: 'none' })
    // A repeated handling derives the same message again.
    else if (entry.t === 'derived' && !messages.has(entry.id)) {
      messages.set(entry.id, { said: entry, confirmed: false, cancel: 'none' })
    } else if (entry.t === 'confirmed') messages.get(entry.id)!.confirmed = true
    else if (entry.t === 'cancelling') messages.get(entry.id)!.cancel = 'tried'
    else if (entry.t === 'cancelled') messages.get(entry.id)!.cancel = entry.wasWaiting ? 'done' : 'refused'
  }
  return messages
}

/** The handlings in which a handler succeeded, by {@link nameOf}. */
export function isHandled(history: History, place: Place): boolean {
  const handling = history.handlings.get(nameOf(place))
  return handling?.steps.some((step) => step.t === 'end' && step.outcome === 'success') ?? false
}

/** Whether it stood in the group's dead letters at any time; what does so has lost its place in the order. */
export function wasDead(history: History, place: Place): boolean {
  const name = nameOf(place)
  return history.dead.has(name) || (history.handlings.get(name)?.steps.some(({ t }) => t === 'redriving') ?? false)
}
