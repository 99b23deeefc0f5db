import {
  type CommandContract,
  type Engine,
  type MessageContract,
  type OutgoingRecord,
  PosthasteError,
  retryLater,
  type Scheduling,
  type Schema,
  type Timer,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../../pipeline/stack.ts'
import type { MessageContext } from '../../consuming/context.ts'
import type { HandlerOptions } from '../../consuming/options.ts'
import type { Standing } from '../../standing.ts'
import { type Channels, checkContract } from '../../topology.ts'
import { fitName } from '../fit-name.ts'
import type { RecordComposer } from '../record.ts'
import { occurrenceId, type Recurrence, type RecurrenceOptions, recurrenceOf } from './recurrence.ts'

/** Messages that are published over and over. */
export interface Recurring {
  /**
   * Has a message published at the times of a cron expression, durably: what waits for its time survives the process, and
   * however many instances of the application say the same, it is published once. The id of each message is derived from
   * the name and the time, so that a repetition after a crash is recognised. What is no longer said here ends when it is due.
   *
   * @throws CONFIG_INVALID CONTRACT_INVALID; CONTRACT_DUPLICATE when the name is taken; CAPABILITY_UNSUPPORTED where the engine
   *   keeps nothing for later or cannot tell what waits, by `start`, or here after it
   */
  recur<C extends MessageContract>(contract: C, options: RecurrenceOptions<C>): void
}

/** What recurring messages are made of. */
export interface RecurringInit {
  /** The application's name. */
  readonly name: string
  readonly engine: Engine
  readonly channels: Channels
  readonly composer: RecordComposer
  readonly standing: Standing
  readonly deps: FilterDeps
  readonly publish: (contract: MessageContract, record: OutgoingRecord) => Promise<unknown>
  /** Has ticks handled. */
  readonly handle: (contract: TickContract, options: HandlerOptions, handler: TickHandler) => void
}

/** What waits for a time. */
interface Tick {
  readonly name: string
  readonly digest: string
  readonly atMs: number
}

type TickContract = CommandContract<Schema<Tick, Tick>, undefined>
type TickHandler = (tick: Tick, context: MessageContext) => Promise<void>

/** A tick that comes to nothing is found out about after this many milliseconds. */
const careMs = 60_000
/** Clocks of two instances may be apart by this: what is due so soon, another one may just have handled. */
const skewMs = 5_000
/** Two instances that begin at once schedule the same tick; one of the two is dropped where the engine can. */
const tickWindowMs = 60_000
/** For so long after it was due, a tick that is unknown here is left to instances of another version of the application. */
const othersMs = 60_000
const othersRetryMs = 3_000
/** Most attempts to make a message whose data fails without saying that it may pass: some minutes. */
const attemptsMax = 30
/** Ticks are given up on when nothing else helps: the next one is then scheduled anew. */
const retry = { immediate: 2, delayed: 1_000, baseMs: 500, maxMs: 60_000 }

/**
 * The part of a bus that publishes over and over.
 *
 * Each recurrence has one tick, a scheduled message in a queue of the application: when it is due, whichever instance gets
 * it publishes the message and the next tick with the acknowledgement. The definition in the code is the truth: a tick of
 * a definition that nobody has any more, for a while after it was due, is dropped. Ticks have ids made of definition and time, so that there is one for
 * each time; one that is missing, since an older version of the application dropped it for instance, is put back.
 */
export class BusRecurring implements Recurring {
  readonly #init: RecurringInit
  readonly #recurrences = new Map<string, Recurrence>()
  #contract: TickContract | undefined = undefined
  #care: Timer | undefined = undefined

  constructor(init: RecurringInit) {
    this.#init = init
  }

  recur<C extends MessageContract>(contract: C, options: RecurrenceOptions<C>): void {
    const { standing, channels, deps } = this.#init
    checkContract(contract)
    const recurrence = recurrenceOf(contract, options as RecurrenceOptions, deps.clock.nowMs())
    standing.checkRegistering()
    channels.register(contract)
    const { name } = recurrence
    if (this.#recurrences.has(name))
      throw new PosthasteError('CONTRACT_DUPLICATE', `${contract.type}: something recurs as '${name}' already`)
    const hasBegun = standing.state !== 'created'
    if (hasBegun) this.#scheduling()
    this.#recurrences.set(name, recurrence)
    if (!hasBegun) return
    this.handleTicks()
    this.#takeCare(0)
  }

  /**
   * Has ticks handled, if there is to be any. Before handlers start.
   * @throws CAPABILITY_UNSUPPORTED
   */
  handleTicks(): void {
    if (this.#recurrences.size === 0 || this.#contract !== undefined) return
    this.#scheduling()
    this.#contract = this.#tickContract()
    this.#init.channels.adopt(this.#contract)
    this.#init.handle(this.#contract, { retry }, (tick, context) => this.#tick(tick, context))
  }

  /** Schedules what is not scheduled yet. */
  async start(): Promise<void> {
    await Promise.all([...this.#recurrences.values()].map((recurrence) => this.#ensure(recurrence, 0)))
    if (this.#recurrences.size > 0) this.#takeCare(careMs)
  }

  close(): void {
    this.#care?.cancel()
  }

  #takeCare(delayMs: number): void {
    const { deps, standing } = this.#init
    if (standing.isEnding) return
    this.#care?.cancel()
    this.#care = deps.timers.set(delayMs, () => {
      const ensured = [...this.#recurrences.values()].map((recurrence) => this.#ensure(recurrence, skewMs))
      Promise.all(ensured)
        .catch((error) => {
          if (!standing.isEnding) deps.log.warn('recurring messages could not be looked after; trying again', { error })
        })
        .finally(() => this.#takeCare(careMs))
    })
  }

  /** Makes sure that the next tick waits, unless it is due within the margin. */
  async #ensure(recurrence: Recurrence, marginMs: number): Promise<void> {
    const { deps, composer, channels, publish } = this.#init
    const nowMs = deps.clock.nowMs()
    const atMs = recurrence.times.after(nowMs)
    if (atMs === undefined) return
    const periodMs = (recurrence.times.after(atMs) ?? Number.POSITIVE_INFINITY) - atMs
    if (atMs - nowMs < Math.min(marginMs, periodMs / 2)) return
    const contract = this.#contract!
    await channels.admit(contract)
    if (await this.#isWaiting(recurrence, atMs)) return
    const { tick, options } = tickAt(recurrence, atMs)
    await publish(contract, await composer.compose(contract, tick, { options, origin: undefined }))
  }

  /** It is time. */
  async #tick({ name, digest, atMs }: Tick, context: MessageContext): Promise<void> {
    const { deps } = this.#init
    const recurrence = this.#recurrences.get(name)
    if (recurrence?.digest !== digest) {
      if (deps.clock.nowMs() < atMs + othersMs) throw unknownHere(name)
      deps.log.info('what recurred is no longer there', { name, atMs })
      return
    }
    const nowMs = Math.max(deps.clock.nowMs(), atMs)
    const followingAtMs = recurrence.times.after(atMs)
    const isMissed = followingAtMs !== undefined && followingAtMs <= nowMs
    if (isMissed && recurrence.missed === 'skip') deps.log.info('a time was missed and is left out', { name, atMs })
    else await this.#publish(recurrence, atMs, context)
    const nextAtMs = recurrence.times.after(nowMs)
    if (nextAtMs === undefined || (await this.#isWaiting(recurrence, nextAtMs))) return
    const next = tickAt(recurrence, nextAtMs)
    await context.schedule(this.#contract!, next.tick, next.options)
  }

  /** Puts the message into the tick's own buffer. One that cannot be made must not keep later ones from coming. */
  async #publish(recurrence: Recurrence, atMs: number, context: MessageContext): Promise<void> {
    const { name: app, deps } = this.#init
    const { contract, name } = recurrence
    const id = occurrenceId(app, recurrence, atMs)
    const options = { id, correlationId: id }
    try {
      const data = await recurrence.dataAt(atMs)
      if (contract.kind === 'event') await context.publish(contract, data, options)
      else await context.send(contract, data, options)
    } catch (error) {
      if (mayPass(error, context.attempt)) throw error
      deps.log.error('a recurring message could not be made and is left out', {
        name,
        atMs,
        type: contract.type,
        error,
      })
    }
  }

  async #isWaiting(recurrence: Recurrence, atMs: number): Promise<boolean> {
    const { id } = tickAt(recurrence, atMs).options
    return (await this.#scheduling().dueAt(this.#contract!.type, id)) !== undefined
  }

  #tickContract(): TickContract {
    const { name, engine } = this.#init
    const deduplicates = engine.capabilities.deduplicateForMsMax >= tickWindowMs
    return Object.freeze({
      kind: 'command',
      type: `posthaste.recurring.${fitName(name)}`,
      data: tickSchema,
      // A definition waits for no other: those of other versions of the application have the same names.
      key: (tick: Tick) => `${tick.name}:${tick.digest}`,
      deduplicateForMs: deduplicates ? tickWindowMs : undefined,
    })
  }

  #scheduling(): Scheduling {
    const { scheduling, capabilities, name } = this.#init.engine
    if (scheduling !== undefined && capabilities.delay === 'native') return scheduling
    const message = `recurring messages need delay and scheduling, and the engine ${name} lacks one of them`
    throw new PosthasteError('CAPABILITY_UNSUPPORTED', message)
  }
}

/** What fails without a word on whether it may pass is tried again, too, but not for ever. */
function mayPass(error: unknown, attempt: number): boolean {
  return PosthasteError.is(error) ? error.verdict === 'retryable' : attempt < attemptsMax
}

function unknownHere(name: string): PosthasteError {
  return retryLater(`nothing recurs as '${name}' here, or at other times`, { afterMs: othersRetryMs })
}

/** What waits for a time, and how it is published. A chain of ticks is no chain of causes: each begins anew. */
function tickAt({ name, digest }: Recurrence, atMs: number) {
  const id = `${name}:${digest}:${atMs}`
  return { tick: { name, digest, atMs }, options: { id, correlationId: id, atMs } }
}

const tickSchema: Schema<Tick, Tick> = {
  '~standard': {
    version: 1,
    vendor: 'posthaste',
    validate: (value) => {
      const { name, digest, atMs } = (value ?? {}) as Partial<Tick>
      if (typeof name === 'string' && typeof digest === 'string' && typeof atMs === 'number')
        return { value: { name, digest, atMs } }
      return { issues: [{ message: 'is no tick' }] }
    },
  },
}
