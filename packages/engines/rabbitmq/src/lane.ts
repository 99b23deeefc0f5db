import { type Clock, type Outcome, PosthasteError, succeeded, type Timer } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import type { Target } from './catalogue.ts'
import { type Confirmation, Confirms } from './confirms.ts'
import { fail, failed } from './errors.ts'
import type { Head } from './frames.ts'
import { markNames } from './record-codec.ts'

/** A message that knows where it goes. */
export interface Outbound {
  readonly envelope: Head
  readonly body: Buffer
}

/** Puts an address on a message. */
export function addressed(envelope: Head, { exchange, routingKey, mandatory, headers }: Target): Head {
  envelope.exchange = exchange
  envelope.routingKey = routingKey
  if (mandatory) envelope.mandatory = true
  if (headers !== undefined) envelope.headers = { ...headers, ...envelope.headers }
  return envelope
}

/** What a lane needs. */
export interface LaneDeps {
  readonly clock: Clock
  readonly timeoutMs: number
  /** The first of what was sent was not confirmed in time. */
  readonly onStuck: (lane: Lane, first: Outbound) => void
}

/** One channel with confirms, and the calls that are under way on it. Each of them ends within the time limit. */
export class Lane {
  readonly #deps: LaneDeps
  readonly #confirms: Confirms
  readonly #calls = new Set<Call>()
  readonly #returned: Returned = new Map()
  #timer: Timer | undefined

  /** @param channel one that was switched to confirms */
  constructor(channel: Channel, deps: LaneDeps) {
    this.#deps = deps
    this.#confirms = new Confirms(channel)
    channel.on('basic.return', (message) => {
      const name = nameOf(message)
      this.#returned.set(name, [...(this.#returned.get(name) ?? []), message.replyText])
    })
  }

  get isActive(): boolean {
    return this.#confirms.isActive
  }

  /** Sends in this order; an error in the place of a message is its outcome. On an active lane only. */
  transmit(messages: readonly (Outbound | PosthasteError)[]): Promise<readonly Outcome[]> {
    const { clock, timeoutMs } = this.#deps
    const call = new Call(messages, clock.monotonicMs() + timeoutMs, (ended) => this.#ended(ended))
    this.#calls.add(call)
    for (const [at, message] of messages.entries()) {
      if (message instanceof PosthasteError) call.refused(at, message)
      else
        try {
          this.#confirms.publish(message.envelope, message.body, call.confirmationOf(at))
        } catch (thrown) {
          call.answer(at, failed(fail('INVALID_ARGUMENT', `a record does not fit: ${String(thrown)}`)))
        }
    }
    call.sent()
    if (this.#calls.size > 0) this.#watch()
    return call.outcomes
  }

  /** Resolves when nothing is under way. */
  async idle(): Promise<void> {
    while (this.#calls.size > 0) await Promise.all(Array.from(this.#calls, ({ outcomes }) => outcomes))
  }

  async close(): Promise<void> {
    this.#timer?.cancel()
    await this.#confirms.channel.close()
  }

  #ended(call: Call): void {
    this.#calls.delete(call)
    // A record that came back was told before its confirm, in a turn of its own that has begun by then.
    if (this.#confirms.isReturning) setImmediate(() => call.resolve(this.#returned))
    else call.resolve(this.#returned)
  }

  /** One timer for all calls: they end in the order in which they began, or nearly so. */
  #watch(): void {
    const { clock, timeoutMs } = this.#deps
    this.#timer ??= clock.setTimer(Math.ceil(timeoutMs / 10), () => {
      this.#timer = undefined
      let first: Outbound | undefined
      for (const call of this.#calls) {
        if (call.deadlineMs > clock.monotonicMs()) break
        first ??= call.firstPending
        this.#calls.delete(call)
        call.expire(failed(fail('UNAVAILABLE', `not confirmed within ${timeoutMs} ms`)))
      }
      if (this.#calls.size > 0) this.#watch()
      if (first !== undefined) this.#deps.onStuck(this, first)
    })
  }
}

/** One call of `transmit`. */
class Call {
  readonly deadlineMs: number
  readonly outcomes: Promise<readonly Outcome[]>
  readonly #messages: readonly (Outbound | PosthasteError)[]
  readonly #onEnded: (call: Call) => void
  readonly #resolve: (outcomes: readonly Outcome[]) => void
  readonly #answers: (Outcome | undefined)[]
  /** How many are unanswered; one more while it is being sent. */
  #open = 1

  constructor(messages: readonly (Outbound | PosthasteError)[], deadlineMs: number, onEnded: (call: Call) => void) {
    this.#messages = messages
    this.deadlineMs = deadlineMs
    this.#onEnded = onEnded
    this.#answers = new Array(messages.length).fill(undefined)
    const { promise, resolve } = Promise.withResolvers<readonly Outcome[]>()
    this.outcomes = promise
    this.#resolve = resolve
  }

  refused(at: number, error: PosthasteError): void {
    this.#answers[at] = failed(error)
  }

  confirmationOf(at: number): Confirmation {
    this.#open += 1
    return new Awaited(this, at)
  }

  sent(): void {
    this.#close()
  }

  answer(at: number, outcome: Outcome): void {
    this.#answers[at] ??= outcome
    this.#close()
  }

  /** The first that nothing is known of. */
  get firstPending(): Outbound | undefined {
    const first = this.#messages[this.#answers.indexOf(undefined)]
    return first instanceof PosthasteError ? undefined : first
  }

  expire(outcome: Outcome): void {
    this.#resolve(this.#answers.map((each) => each ?? outcome))
  }

  resolve(returned: Returned): void {
    if (returned.size > 0) this.#takeReturned(returned)
    this.#resolve(this.#answers.map((each) => each ?? succeeded))
  }

  #close(): void {
    this.#open -= 1
    if (this.#open === 0) this.#onEnded(this)
  }

  #takeReturned(returned: Returned): void {
    for (const [at, message] of this.#messages.entries()) {
      if (message instanceof PosthasteError) continue
      const { routingKey, exchange = '' } = message.envelope
      const name = nameOf(message.envelope)
      const texts = returned.get(name)
      const text = texts?.shift()
      if (text === undefined) continue
      if (texts?.length === 0) returned.delete(name)
      const where = exchange === '' ? `queue ${routingKey}` : `exchange ${exchange}`
      this.#answers[at] = failed(fail('NOT_FOUND', `nobody takes the record: ${text} (${where})`))
    }
  }
}

/** What came back and was not told to anybody yet: why, by what it is. */
type Returned = Map<string, string[]>

/**
 * What a message is known by. Not all have a stamp of their own: signals have none, and equal messages of others have
 * equal ones; what goes to the same place has the same fate.
 */
function nameOf({ exchange = '', routingKey = '', headers }: Head): string {
  return `${headers?.[markNames.position]} ${exchange} ${routingKey}`
}

/** One message of a call. */
class Awaited implements Confirmation {
  readonly #call: Call
  readonly #at: number

  constructor(call: Call, at: number) {
    this.#call = call
    this.#at = at
  }

  resolve(): void {
    this.#call.answer(this.#at, succeeded)
  }

  reject(thrown: Error): void {
    this.#call.answer(this.#at, failed(notConfirmed(thrown)))
  }
}

/**
 * What kills the channel is told to one publish and not always to the one that did it, so none is called wrong for it: all
 * that is certain is that they were not confirmed.
 */
function notConfirmed(thrown: Error): PosthasteError {
  return new PosthasteError('UNAVAILABLE', `rabbitmq: not confirmed: ${thrown.message}`, { cause: thrown })
}
