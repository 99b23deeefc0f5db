import type { Dead, Derived, End, Fact, GroupName, Intent, Occurrence, Place, Start } from './journal.ts'

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
  'late',
  'cancelled-delivered',
  'dead-letter-altered',
  'dead-letter-unjust',
  'dead-letter-doubled',
  'dead-letter-handled',
  'discarded-delivered',
  'downstream-doubled',
  'downstream-orphan',
  'acknowledged-again',
  'id-not-derived',
  'handled-again',
  'once-lost-too-many',
  'unwanted',
  'batch-key-doubled',
  'wrong-format',
  'wrong-claim',
  'mixed-up',
  'answer-from-nowhere',
  'request-failed',
  'half-seen-early',
  'half-rolled-back',
  'half-doubled',
  'half-undecided',
  'recurring-doubled',
  'recurring-early',
  'recurring-lost',
  'recurring-chains',
  'live-missed',
  'live-stale',
  'group-left-over',
  'handled-while-paused',
  'lag-absurd',
  'not-replayed',
  'snapshot-incomplete',
  'snapshot-invented',
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
  /** When it was said first. */
  readonly since: Moment
  /** When it was first confirmed. */
  confirmedAt: number | undefined
  cancel: 'none' | 'tried' | 'done' | 'refused'
}

/** One thing that happened to a message in a group. */
export type Step = Moment &
  (
    | Omit<Start, keyof Place>
    | Omit<End, keyof Place>
    | { readonly t: 'redriving' | 'discarding' | 'redriven' | 'discarded' }
  )

/** All that happened to one message in one group, in order. */
export interface Handling {
  readonly place: Place
  readonly message: Message | undefined
  readonly steps: Step[]
}

/** What stands in a channel with history at the end. */
export interface StoredMessage {
  readonly channel: string
  readonly atMs: number
  readonly occurrence: Occurrence | undefined
  count: number
}

/** All that happened, merged over all lives and sorted by what it happened to. */
export interface History {
  readonly lives: number
  readonly messages: ReadonlyMap<string, Message>
  readonly handlings: ReadonlyMap<string, Handling>
  /** Dead letters at the end, by {@link nameOf}. */
  readonly dead: ReadonlyMap<string, readonly Dead[]>
  /** What stood in channels with history at the end, by id. */
  readonly stored: ReadonlyMap<string, StoredMessage>
  /** What happened to others than single messages, in order. */
  readonly facts: readonly (Fact & Moment)[]
}

/** Facts of some kinds, in order. */
export function factsOf<T extends Fact['t']>(history: History, ...kinds: readonly T[]): (Fact & Moment & { t: T })[] {
  return history.facts.filter(({ t }) => (kinds as readonly string[]).includes(t)) as (Fact & Moment & { t: T })[]
}

/** Text that names a handling. */
export function nameOf({ channel, group, id }: Place): string {
  return `${id} in ${channel}@${group}`
}

/** Text that names a group. */
export function groupNameOf({ channel, group }: GroupName): string {
  return `${channel}@${group}`
}

/** Whether a handler was entered. */
export function isStart(step: Step): step is Moment & Omit<Start, keyof Place> {
  return step.t === 'start'
}

/** Whether a handler succeeded, or a rule said that what it did will do. */
export function isSuccess(step: Step): boolean {
  return step.t === 'end' && (step.outcome === 'success' || step.outcome === 'ignored')
}

/** Whether a handler succeeded. */
export function isHandled(history: History, place: Place): boolean {
  return history.handlings.get(nameOf(place))?.steps.some(isSuccess) ?? false
}

/** Whether it was, or may have been, removed from the group's dead letters for good: what is redriven later was not. */
export function isDiscarded(history: History, place: Place): boolean {
  const steps = history.handlings.get(nameOf(place))?.steps
  return steps?.findLast(({ t }) => t === 'discarding' || t === 'redriving')?.t === 'discarding'
}

/** Whether it stood in the group's dead letters at any time; what does so has lost its place in the order. */
export function wasDead(history: History, place: Place): boolean {
  if (history.dead.has(nameOf(place))) return true
  const steps = history.handlings.get(nameOf(place))?.steps
  return steps?.some(({ t }) => t === 'redriving' || t === 'discarding') ?? false
}
