import {
  type Clock,
  type Filter,
  type FilterDescription,
  type FilterEvent,
  type FilterSnapshot,
  type Log,
  PosthasteError,
  type Service,
} from '@posthaste/contracts'
import { systemClock, systemRandom } from './clock.ts'
import { compose } from './compose.ts'
import { silentLog } from './log.ts'
import { checkTogether } from './options.ts'
import { type TimerWheel, timerWheel } from './timer-wheel.ts'

/** What filters are made with: time, randomness, a log, and what they stand in front of. */
export interface FilterDeps {
  readonly clock: Clock
  /** Share one wheel per application. */
  readonly timers: TimerWheel
  /** From 0 up to but not 1. */
  readonly random: () => number
  readonly log: Log
  /** Names the target in errors and logs: `shop.Inventory/checkStock`, `shop.order.created@points`. */
  readonly target: string
  /** Told what filters do that is out of the ordinary; use {@link tell}. Default: nobody. */
  readonly onEvent?: ((event: FilterEvent) => void) | undefined
}

/** Dependencies with the machine's own for those not given. Each use without `timers` makes a wheel. */
export function filterDeps(given: Partial<FilterDeps> = {}): FilterDeps {
  const { clock = systemClock, random = systemRandom, log = silentLog, target = '' } = given
  return { clock, random, log, target, onEvent: given.onEvent, timers: given.timers ?? timerWheel(clock, log) }
}

/** What a filter tells of: an event without its target. */
export interface FilterNews {
  readonly role: string
  readonly kind: string
  readonly [detail: string]: unknown
}

/**
 * Tells whoever listens of something out of the ordinary. What a listener throws is logged, and harms no call. Where it may
 * happen often, ask `deps.onEvent` first, so that the news are not made for nobody.
 */
export function tell(deps: FilterDeps, news: FilterNews): void {
  if (deps.onEvent === undefined) return
  try {
    deps.onEvent({ target: deps.target, ...news })
  } catch (error) {
    deps.log.error('a listener of filters threw', { target: deps.target, kind: news.kind, error })
  }
}

/** A place in a default stack: which filter stands here, and why here. `O` is the options the whole stack is built from. */
export interface StackSlot<O = unknown> {
  readonly role: string
  /** Why it stands where it stands: must be outside of x because … */
  readonly why: string
  /** Makes the filter from the options; undefined where it is not configured, which then costs nothing. */
  create(options: O, deps: FilterDeps): Filter | undefined
}

/** A ready filter as a slot, for editing a stack. */
export function filterSlot(filter: Filter, why = 'placed by the application'): StackSlot {
  return { role: filter.role, why, create: () => filter }
}

/** Edits a stack by role. Each edit gives a new editor; the default stack stays as it is. */
export interface StackEditor<O = unknown> {
  /** Outermost first. */
  readonly slots: readonly StackSlot<O>[]
  /** @throws CONFIG_INVALID when there is no such role, or the new slot's role is there already */
  insertBefore(role: string, slot: StackSlot<O>): StackEditor<O>
  /** @throws CONFIG_INVALID when there is no such role, or the new slot's role is there already */
  insertAfter(role: string, slot: StackSlot<O>): StackEditor<O>
  /** @throws CONFIG_INVALID when there is no such role, or the new slot's role is there at another place */
  replace(role: string, slot: StackSlot<O>): StackEditor<O>
  /** @throws CONFIG_INVALID when there is no such role */
  remove(role: string): StackEditor<O>
}

/** Begins to edit a stack. */
export function editStack<O>(slots: readonly StackSlot<O>[]): StackEditor<O> {
  const edit = (role: string, change: (at: number) => readonly StackSlot<O>[]): StackEditor<O> => {
    const at = slots.findIndex((slot) => slot.role === role)
    const roles = slots.map((slot) => slot.role).join(', ')
    if (at < 0) refuse(`the stack has no role '${role}'; it has ${roles}`)
    const edited = change(at)
    const twice = edited.find((slot, index) => edited.findIndex((other) => other.role === slot.role) !== index)
    if (twice !== undefined) refuse(`the stack has a role '${twice.role}' already; it has ${roles}`)
    return editStack(edited)
  }
  return {
    slots,
    insertBefore: (role, slot) => edit(role, (at) => slots.toSpliced(at, 0, slot)),
    insertAfter: (role, slot) => edit(role, (at) => slots.toSpliced(at + 1, 0, slot)),
    replace: (role, slot) => edit(role, (at) => slots.toSpliced(at, 1, slot)),
    remove: (role) => edit(role, (at) => slots.toSpliced(at, 1)),
  }
}

/** The filters of one target, ready for use. */
export interface FilterStack {
  /** Outermost first. */
  readonly filters: readonly Filter[]
  /** The filters around a service. Wrap once per service, not once per call. */
  around<P, R>(service: Service<P, R>): Service<P, R>
  /** Every filter's account of itself, outermost first, with the reason for its place as `why`. */
  describe(): FilterDescription[]
  /** The state of every filter that has one, outermost first. */
  snapshot(): FilterSnapshot[]
  /** Milliseconds until every filter takes calls; 0 while they do. */
  notReadyForMs(): number
}

/**
 * Makes the filters of a stack.
 *
 * @throws CONFIG_INVALID with the mistakes of all filters together
 */
export function buildStack<O>(slots: readonly StackSlot<O>[], options: O, deps: FilterDeps): FilterStack {
  const made = checkTogether(slots.map((slot) => () => ({ why: slot.why, filter: slot.create(options, deps) })))
  const placed = made.flatMap(({ why, filter }) => (filter === undefined ? [] : [{ why, filter }]))
  const filters = placed.map(({ filter }) => filter)
  const gates = filters.filter((filter) => filter.notReadyForMs !== undefined)
  return {
    filters,
    around: (service) => compose(filters, service),
    describe: () => placed.map(({ why, filter }) => ({ ...filter.describe(), why })),
    snapshot: () => filters.flatMap((filter) => filter.snapshot?.() ?? []),
    notReadyForMs: () => gates.reduce((longest, gate) => Math.max(longest, gate.notReadyForMs?.() ?? 0), 0),
  }
}

function refuse(message: string): never {
  throw new PosthasteError('CONFIG_INVALID', message)
}
