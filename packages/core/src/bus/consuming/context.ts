import {
  type Call,
  type CommandContract,
  type DataIn,
  type EventContract,
  type Headers,
  type MaybePromise,
  type MessageContract,
  type OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import { derivedId } from '../publishing/derived-ids.ts'
import { checkScheduleOptions, type PublishOptions, type ScheduleOptions } from '../publishing/publish-options.ts'
import type { Origin, RecordComposer } from '../publishing/record.ts'
import type { Work } from './work.ts'

/** What became of a message that was handed in. */
export interface Receipt {
  readonly id: string
}

/**
 * What a handler knows beside the data, and what it may do. One per attempt.
 *
 * What is published here stands in a buffer of the attempt and leaves with the message's acknowledgement, in one step
 * where the engine can: all of it if the handler succeeds, none if it fails. What is handled at most once has been
 * acknowledged by then: there it leaves after the handler, as ordinary messages. With an inbox it leaves before the inbox
 * remembers the message, so that it is not lost when the process ends in between. The ids are derived from the message's own,
 * the group and the order of publishing, so that a repeated handling publishes the same messages again, not new ones.
 */
export interface MessageContext {
  readonly id: string
  readonly type: string
  /** Who published it, a URI-reference. Empty where the publisher did not say. */
  readonly source: string
  /** When it was published, RFC 3339. */
  readonly time: string | undefined
  readonly key: string | undefined
  /** Id of the message that the chain of causes began with: its own for the first. */
  readonly correlationId: string
  /** Id of the message whose handler published this one. */
  readonly causationId: string | undefined
  /** All CloudEvents attributes that are not fields of the record, by name. */
  readonly headers: Headers
  /** Who handles it. */
  readonly group: string
  /** 1 for the first attempt; grows with each one, in process or not. Skips numbers where a delivery ended early. */
  readonly attempt: number
  /** When the engine stored it, milliseconds since the epoch. */
  readonly storedAtMs: number
  /** When the attempt's time is up, on the monotonic clock, in milliseconds; `Infinity` where it never is. */
  readonly deadlineAtMs: number
  /** Aborts when the work is no longer wanted: time is up, the delivery is lost, shutdown. Made at the first look. */
  readonly signal: AbortSignal
  /** The inbox's transaction, for what is to take effect exactly once; undefined without an inbox that has any. */
  readonly transaction: unknown

  /**
   * Puts an event into the attempt's buffer. What is wrong is thrown at once, so that it fails the attempt even where
   * nobody awaits; what shows only later (an asynchronous schema) does too, where nobody looks at the promise.
   *
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE CONFIG_INVALID; FAILED_PRECONDITION after the handler has ended
   */
  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /** The same for a command. */
  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /**
   * The same for a message of either kind that is to be handled later.
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot keep it
   */
  schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt>
}

/** What all contexts of one subscription share. */
export interface ContextScope {
  readonly group: string
  /** The engine's name of the group: each instance of a broadcast publishes messages of its own. */
  readonly engineGroup: string
  /** Most attempts of one delivery. */
  readonly triesMax: number
  readonly composer: RecordComposer
  /** Makes sure that the contract's channel exists. */
  readonly admit: (contract: MessageContract) => MaybePromise<void>
}

/** What an attempt publishes; nothing, mostly. */
export type Outbox = readonly OutgoingRecord[] | undefined

/** Hot path: one object per attempt, whose parts are looked up when asked for. */
export class HandlerContext implements MessageContext {
  readonly #scope: ContextScope
  readonly #work: Work
  readonly #call: Call
  readonly #tries: number
  /** By order of publishing. */
  #records: OutgoingRecord[] | undefined = undefined
  /** What is still being checked or declared, or could not be. */
  #pending: Set<Watched<unknown>> | undefined = undefined
  #ordinal = 0
  #ended = false
  transaction: unknown = undefined

  constructor(scope: ContextScope, work: Work, call: Call) {
    this.#scope = scope
    this.#work = work
    this.#call = call
    this.#tries = work.tries
  }

  get id(): string {
    return this.#work.record.id
  }

  get type(): string {
    return this.headers.type ?? this.#work.record.channel
  }

  get source(): string {
    return this.headers.source ?? ''
  }

  get time(): string | undefined {
    return this.headers.time
  }

  get key(): string | undefined {
    return this.#work.key
  }

  get correlationId(): string {
    return this.headers.correlationid ?? this.id
  }

  get causationId(): string | undefined {
    return this.headers.causationid
  }

  get headers(): Headers {
    return this.#work.record.headers
  }

  get group(): string {
    return this.#scope.group
  }

  get attempt(): number {
    return (this.#work.delivery.attempt - 1) * this.#scope.triesMax + this.#tries
  }

  get storedAtMs(): number {
    return this.#work.delivery.storedAtMs
  }

  get deadlineAtMs(): number {
    return this.#call.deadlineAtMs
  }

  get signal(): AbortSignal {
    return this.#call.signal
  }

  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#buffer(event, data, options)
  }

  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#buffer(command, data, options)
  }

  schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt> {
    checkScheduleOptions(options)
    return this.#buffer(contract, data, options)
  }

  /**
   * The handler succeeded. Waits for what it published without awaiting it.
   * @throws whatever is wrong with that, unless the handler has seen it
   */
  commit(): MaybePromise<Outbox> {
    if (this.#pending === undefined) {
      this.#ended = true
      // A refused message has left a hole.
      return this.#records?.filter((record) => record !== undefined)
    }
    const pending = this.#pending
    this.#pending = undefined
    return Promise.all([...pending].map((each) => each.unlessWatched())).then(() => this.commit())
  }

  /** The handler failed: what it published goes nowhere. */
  discard(): void {
    this.#ended = true
    this.#records = undefined
    this.#pending = undefined
  }

  #buffer(contract: MessageContract, data: unknown, options: PublishOptions | undefined): Promise<Receipt> {
    if (this.#ended) throw tooLate(this.id)
    const admitted = this.#scope.admit(contract)
    if (isPromiseLike(admitted)) void this.#await(admitted)
    // The place in the order is taken now, also where the data is checked later.
    const ordinal = ++this.#ordinal
    const record = this.#scope.composer.compose(contract, data, { options, origin: this.#origin(ordinal) })
    if (!isPromiseLike(record)) return Promise.resolve(this.#add(record, ordinal))
    return this.#await(record.then((ready) => this.#add(ready, ordinal)))
  }

  #origin(ordinal: number): Origin {
    const id = derivedId(this.id, this.#scope.engineGroup, ordinal)
    return { id, causationId: this.id, correlationId: this.correlationId }
  }

  #add(record: OutgoingRecord, ordinal: number): Receipt {
    if (this.#ended) throw tooLate(this.id)
    this.#records ??= []
    this.#records[ordinal - 1] = record
    return { id: record.id }
  }

  /** Remembered until it is there. A failure that the handler has seen is the handler's to judge; one that nobody has is not. */
  #await<T>(promise: PromiseLike<T>): Promise<T> {
    const waiting = new Watched<T>((resolve) => resolve(promise))
    this.#pending ??= new Set()
    const pending = this.#pending
    pending.add(waiting)
    waiting.onDone(() => pending.delete(waiting))
    return waiting
  }
}

/** A promise that knows whether anybody looks at it, and may fail where nobody does. */
class Watched<T> extends Promise<T> {
  /** What is made of it are plain promises. */
  static override get [Symbol.species](): PromiseConstructor {
    return Promise
  }

  #isWatched = false

  // biome-ignore lint/suspicious/noThenProperty: `await` and all other ways of looking at a promise end here
  override then<A = T, B = never>(
    ok?: ((value: T) => A | PromiseLike<A>) | null,
    failed?: ((thrown: unknown) => B | PromiseLike<B>) | null,
  ): Promise<A | B> {
    this.#isWatched = true
    return super.then(ok, failed)
  }

  /** Calls back when it is fulfilled. */
  onDone(done: () => void): void {
    super.then(done, () => {})
  }

  /** Rejects as it does itself, if nobody has looked at it by then. */
  unlessWatched(): Promise<unknown> {
    return super.then(undefined, (thrown) => {
      if (!this.#isWatched) throw thrown
    })
  }
}

function tooLate(id: string): PosthasteError {
  return new PosthasteError('FAILED_PRECONDITION', `message ${id}: published after its handler had ended`, {
    remedy: 'Await what the handler begins, or publish through the application.',
  })
}
