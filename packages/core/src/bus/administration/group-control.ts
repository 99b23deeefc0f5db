import { type Engine, type Lag, type MessageContract, PosthasteError, type SeekTarget } from '@posthaste/contracts'
import {
  choiceOption,
  durationOption,
  numberOption,
  type OptionSpec,
  optional,
  readOptions,
  refuseOptions,
} from '../../pipeline/options.ts'
import type { Subscription } from '../consuming/subscription.ts'
import type { DeadLetters } from '../dead-letters/dead-letters.ts'
import { unsupported } from './scanning.ts'

/** How a group of this application is paused. */
export interface PauseOptions {
  /** How long running handlers may go on, in milliseconds, 0 to 2^31-1. Default: 10,000. */
  readonly graceMs?: number | undefined
}

/**
 * One group of one contract, to be looked after. What is asked of one group goes one after the other. For a broadcast, it
 * is the group of this instance.
 */
export interface GroupControl {
  /**
   * How far the group is behind, at this moment.
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot tell; NOT_FOUND when there is no such group
   */
  lag(): Promise<Lag>
  /**
   * Moves the group of an event to another place: what stands there and behind it comes again, what it had not handled
   * before it never comes. The handler here is paused for it; members elsewhere have to be paused first.
   *
   * @throws CONFLICT while the group has members elsewhere; NOT_FOUND when there is no such group; FAILED_PRECONDITION for
   *   a command or a temporary group; INVALID_ARGUMENT for a position of another engine; CAPABILITY_UNSUPPORTED where the
   *   engine cannot; CONFIG_INVALID
   */
  seek(to: SeekTarget): Promise<void>
  /**
   * Has the handler here leave the group in good order: running handlers end, what has not begun goes back uncounted,
   * other members go on. A temporary group goes with its last member, and misses what comes meanwhile. Idempotent; before
   * `start`, the handler does not begin.
   *
   * @throws FAILED_PRECONDITION without a handler here; CONFIG_INVALID
   */
  pause(options?: PauseOptions): Promise<void>
  /**
   * Has the handler here join again. Idempotent.
   * @throws FAILED_PRECONDITION without a handler here
   */
  resume(): Promise<void>
  /** What the group could not handle. */
  readonly deadLetters: DeadLetters
}

/** What a group is looked after with. */
export interface GroupControlInit {
  readonly contract: MessageContract
  readonly group: string
  readonly engine: Engine
  /** The handler here, if there is one. */
  readonly subscription: () => Subscription | undefined
  readonly checkUsable: () => void
  readonly turns: Turns
  readonly deadLetters: DeadLetters
}

const pauseSpec = { options: { graceMs: durationOption(10_000) } }
const position: OptionSpec<string | undefined> = {
  fallback: undefined,
  expects: 'a position',
  accepts: (value) => typeof value === 'string' && value !== '',
}
const seekSpec = {
  options: {
    to: optional(choiceOption<'earliest' | 'next'>('next', ['earliest', 'next'])),
    atMs: optional(numberOption(0, { min: 0, max: Number.MAX_SAFE_INTEGER })),
    position,
  },
}

/** Controls a group through the engine's abilities and the subscription here. */
export function groupControl(init: GroupControlInit): GroupControl {
  const { contract, group, engine, subscription, checkUsable, turns, deadLetters } = init
  const name = `${contract.type}@${group}`
  const engineGroup = (): string => subscription()?.engineGroup ?? group

  const own = (): Subscription => {
    const found = subscription()
    if (found !== undefined) return found
    const remedy = 'Pause the application that has it.'
    throw new PosthasteError('FAILED_PRECONDITION', `${name} has no handler here`, { remedy })
  }

  return {
    deadLetters,
    async lag() {
      checkUsable()
      if (engine.lag === undefined) throw unsupported(engine, 'tell how far groups are behind')
      return engine.lag.lag(contract.type, engineGroup())
    },
    async seek(given) {
      const target = readTarget(`${name}.seek`, given)
      checkUsable()
      const { seeking } = engine
      if (seeking === undefined) throw unsupported(engine, 'move groups')
      if (subscription()?.settings.lifetime === 'temporary') throw temporary(name)
      await turns.take(name, () =>
        withoutMember(subscription(), () => seeking.seek(contract.type, engineGroup(), target)),
      )
    },
    async pause(given = {}) {
      const { graceMs } = readOptions(`${name}.pause`, given, pauseSpec)
      await turns.take(name, () => own().pause(graceMs))
    },
    async resume() {
      await turns.take(name, () => own().resume())
    },
  }
}

/** Runs the work while the handler here is no member; one that was paused before stays so. */
async function withoutMember(subscription: Subscription | undefined, work: () => Promise<void>): Promise<void> {
  if (subscription === undefined || subscription.isPaused) return work()
  await subscription.pause()
  try {
    await work()
  } finally {
    await subscription.resume()
  }
}

/** One thing at a time for each group, in the order of asking: a pause must not be undone by a seek that began before. */
export class Turns {
  readonly #last = new Map<string, Promise<void>>()

  take(name: string, work: () => Promise<void>): Promise<void> {
    const before = this.#last.get(name) ?? Promise.resolve()
    const turn = before.then(work)
    const ended = turn
      .catch(() => {})
      .then(() => {
        if (this.#last.get(name) === ended) this.#last.delete(name)
      })
    this.#last.set(name, ended)
    return turn
  }
}

function readTarget(what: string, given: unknown): SeekTarget {
  const target = readOptions(what, given, seekSpec)
  if (Object.values(target).filter((way) => way !== undefined).length !== 1) {
    refuseOptions([{ path: what, message: 'needs exactly one of to, atMs and position' }])
  }
  const { to, atMs } = target
  if (to !== undefined) return { to }
  return atMs === undefined ? { position: target.position ?? '' } : { atMs }
}

function temporary(name: string): PosthasteError {
  return new PosthasteError('FAILED_PRECONDITION', `${name} is temporary: it would be gone without its member`, {
    remedy: 'Give the group a durable lifetime.',
  })
}
