import {
  type DataIn,
  isErrorCode,
  type MaybePromise,
  type MessageContract,
  type OutgoingRecord,
  PosthasteError,
  RenewingMap,
  type ReplyOut,
  type RequestContract,
  type Timer,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../../pipeline/maybe-promise.ts'
import type { FilterDeps } from '../../../pipeline/stack.ts'
import type { Bodies } from '../../bodies/bodies.ts'
import type { BodyReader } from '../../bodies/reading.ts'
import { parseIssues } from '../../error-text.ts'
import { instanceGroup } from '../../instance-group.ts'
import {
  replyChannelPrefix,
  replyCodeHeader,
  replyIssuesHeader,
  replyMessageHeader,
  replyToText,
  replyType,
} from '../../replies.ts'
import { checkKind } from '../../topology.ts'
import { fitName } from '../fit-name.ts'
import type { RecordComposer } from '../record.ts'
import { type RequestOptions, type RequestSettings, readRequestOptions } from './options.ts'
import { ReplyInbox, type ReplyInboxInit } from './reply-inbox.ts'

/** Commands that are answered. */
export interface Requesting {
  /**
   * Sends a command and awaits what its handler returns.
   *
   * Whoever gives up, by the timeout or by the signal, leaves the command without worth: it is not begun any more. A handler
   * that works on it is told by its own signal: when the deadline passes, wherever it runs; at once when the signal aborts
   * and it runs on this bus.
   *
   * @throws DEADLINE_EXCEEDED CANCELLED; OVERLOADED with 100,000 requests pending; UNAVAILABLE when the replies no longer
   *   come in; ENGINE_CLOSED with the end of the bus: in all of these cases the handler may have done its work. PAYLOAD_INVALID
   *   when the reply does not fit; what the handler failed with, by its code; CONTRACT_INVALID when the command has no
   *   `reply`; CONFLICT when a request of this id is pending; CAPABILITY_UNSUPPORTED without temporary groups that can be
   *   addressed; and what
   *   {@link Publishing.send} throws
   */
  request<C extends RequestContract>(command: C, data: DataIn<C>, options?: RequestOptions): Promise<ReplyOut<C>>
  /** What has become of the requests of this process. */
  requestStats(): RequestStats
}

/** What has become of requests since the start. Counts that only grow, but for `pending`. */
export interface RequestStats {
  /** Begun. */
  readonly sent: number
  /** Ended with a reply. */
  readonly answered: number
  /** Ended with an error: the handler's, one of sending, or that of a reply that could not be read. */
  readonly failed: number
  readonly timedOut: number
  readonly cancelled: number
  /** Replies that nobody awaited: too late, or once more. */
  readonly late: number
  /** Await their reply now. */
  readonly pending: number
}

/** What requesting is made of. */
export interface RequestingInit extends Omit<ReplyInboxInit, 'place' | 'member' | 'onReply' | 'onLost' | 'log'> {
  readonly composer: RecordComposer
  readonly bodies: Bodies
  readonly deps: FilterDeps
  /** The application's name. */
  readonly name: string
  readonly instance: string
  readonly newId: () => string
  /** Publishes in the order of the calls. */
  readonly publish: (contract: MessageContract, record: MaybePromise<OutgoingRecord>) => Promise<unknown>
  /** Tells the handler of this bus that works on a request, if there is one. */
  readonly abandon: (contract: RequestContract, id: string, reason: PosthasteError) => void
}

/** How a request ended, for the counts. */
type End = 'answered' | 'failed' | 'timedOut' | 'cancelled'

const pendingMax = 100_000

/** One request that awaits its reply. */
interface Pending {
  readonly id: string
  readonly contract: RequestContract
  readonly settings: RequestSettings
  /** On the monotonic clock. */
  readonly deadlineAtMs: number
  readonly resolve: (reply: unknown) => void
  readonly reject: (error: unknown) => void
  readonly timer: Timer
  readonly onAbort: (() => void) | undefined
}

/** The part of a bus that sends requests and awaits their replies. */
export class BusRequesting implements Requesting {
  readonly #init: RequestingInit
  readonly #inbox: ReplyInbox
  readonly #replyTo: string
  readonly #pending = new RenewingMap<string, Pending>()
  readonly #readers = new WeakMap<RequestContract, BodyReader>()
  readonly #counts = { sent: 0, answered: 0, failed: 0, timedOut: 0, cancelled: 0, late: 0 }

  constructor(init: RequestingInit) {
    this.#init = init
    const channel = `${replyChannelPrefix}${fitName(init.name)}`
    const place = { channel, group: instanceGroup('requester', init.instance) }
    this.#replyTo = replyToText(place)
    this.#inbox = new ReplyInbox({
      ...init,
      log: init.deps.log,
      place,
      member: init.instance,
      onReply: (record) => this.#replied(record),
      onLost: (cause) => this.#lost(cause),
    })
  }

  request<C extends RequestContract>(command: C, data: DataIn<C>, options?: RequestOptions): Promise<ReplyOut<C>> {
    try {
      this.#init.standing.checkUsable()
      checkKind(command, 'command', 'request')
      if (command.reply === undefined) throw replyMissing(command)
      const settings = readRequestOptions(options)
      const { signal } = settings
      if (signal?.aborted) throw cancelled(command, signal)
      if (this.#pending.size >= pendingMax) throw overloaded(command)
      const id = settings.publish.id ?? this.#init.newId()
      if (this.#pending.get(id) !== undefined) throw requestedAlready(command, id)
      return this.#begin(command, data, { id, settings }) as Promise<ReplyOut<C>>
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  requestStats(): RequestStats {
    return { ...this.#counts, pending: this.#pending.size }
  }

  /** Whoever still waits is told that it is over. */
  async close(): Promise<void> {
    for (const [, pending] of this.#pending.entries()) {
      const message = `${pending.contract.type}: the bus closed before the reply to ${pending.id} came`
      this.#end(pending, 'failed')?.reject(new PosthasteError('ENGINE_CLOSED', message))
    }
    await this.#inbox.close()
  }

  #begin(
    contract: RequestContract,
    data: unknown,
    { id, settings }: { readonly id: string; readonly settings: RequestSettings },
  ): Promise<unknown> {
    const { clock, timers } = this.#init.deps
    const { timeoutMs, signal } = settings
    return new Promise((resolve, reject) => {
      const timer = timers.set(timeoutMs, () => this.#end(pending, 'timedOut')?.reject(timedOut(pending)))
      const onAbort = signal && (() => this.#aborted(pending, signal))
      const deadlineAtMs = clock.monotonicMs() + timeoutMs
      const pending: Pending = { id, contract, settings, deadlineAtMs, resolve, reject, timer, onAbort }
      this.#pending.set(id, pending)
      this.#counts.sent += 1
      if (onAbort !== undefined) signal?.addEventListener('abort', onAbort, { once: true })
      this.#send(pending, data).then(undefined, (thrown) => this.#end(pending, 'failed')?.reject(thrown))
    })
  }

  /** In the order of the calls, whatever has to be waited for, so that requests of one key leave in order. */
  #send(pending: Pending, data: unknown): Promise<unknown> {
    const { contract } = pending
    try {
      const joined = this.#inbox.join()
      const admitted = this.#init.channels.admit(contract)
      const isReady = !isPromiseLike(joined) && !isPromiseLike(admitted)
      const compose = (): MaybePromise<OutgoingRecord> => this.#compose(pending, data)
      return this.#init.publish(contract, isReady ? compose() : Promise.all([joined, admitted]).then(compose))
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  /** @throws what the request has ended with, or is to, while it waited for the channel */
  #compose(pending: Pending, data: unknown): MaybePromise<OutgoingRecord> {
    const { id, contract, settings, deadlineAtMs } = pending
    const { composer, deps } = this.#init
    const timeToLiveMs = deadlineAtMs - deps.clock.monotonicMs()
    if (timeToLiveMs <= 0) this.#end(pending, 'timedOut')?.reject(timedOut(pending))
    if (this.#pending.get(id) !== pending) throw timedOut(pending)
    const options = { ...settings.publish, id, timeToLiveMs }
    return composer.compose(contract, data, { options, origin: undefined, replyTo: this.#replyTo })
  }

  #replied(record: OutgoingRecord): void {
    const pending = this.#pending.get(record.headers.causationid ?? '')
    if (pending === undefined) {
      this.#counts.late += 1
      return
    }
    const code = record.headers[replyCodeHeader]
    if (code !== undefined) {
      this.#end(pending, 'failed')?.reject(errorOf(record, code))
      return
    }
    const accept = (reply: unknown): void => this.#end(pending, 'answered')?.resolve(reply)
    const refuse = (thrown: unknown): void => this.#end(pending, 'failed')?.reject(thrown)
    try {
      const reply = this.#readerOf(pending.contract)(record)
      if (isPromiseLike(reply)) reply.then(accept, refuse)
      else accept(reply)
    } catch (thrown) {
      refuse(thrown)
    }
  }

  #aborted(pending: Pending, signal: AbortSignal): void {
    const reason = cancelled(pending.contract, signal)
    const ended = this.#end(pending, 'cancelled')
    if (ended === undefined) return
    ended.reject(reason)
    this.#init.abandon(pending.contract, pending.id, reason)
  }

  #lost(cause: PosthasteError): void {
    for (const [, pending] of this.#pending.entries()) {
      const message = `${pending.contract.type}: the reply to ${pending.id} can no longer come in`
      this.#end(pending, 'failed')?.reject(new PosthasteError('UNAVAILABLE', message, { cause }))
    }
  }

  /** Ends a request, once. @returns undefined when it has ended before, which makes what came now late */
  #end(pending: Pending, end: End): Pending | undefined {
    if (this.#pending.get(pending.id) !== pending) {
      if (end === 'answered') this.#counts.late += 1
      return undefined
    }
    this.#pending.delete(pending.id)
    this.#counts[end] += 1
    pending.timer.cancel()
    if (pending.onAbort !== undefined) pending.settings.signal?.removeEventListener('abort', pending.onAbort)
    return pending
  }

  #readerOf(contract: RequestContract): BodyReader {
    const known = this.#readers.get(contract)
    if (known !== undefined) return known
    const { reply, codec } = contract
    const reader = this.#init.bodies.reader(replyType(contract.type), { data: reply, codec })
    this.#readers.set(contract, reader)
    return reader
  }
}

function errorOf({ headers }: OutgoingRecord, code: string): PosthasteError {
  const message = headers[replyMessageHeader] ?? 'the handler failed'
  const issues = parseIssues(headers[replyIssuesHeader])
  if (isErrorCode(code)) return new PosthasteError(code, message, { issues })
  return new PosthasteError('INTERNAL', `${message} (with the unknown code ${code})`, { issues })
}

function timedOut({ contract, id, settings }: Pending): PosthasteError {
  const message = `${contract.type}: no reply to ${id} within ${settings.timeoutMs} ms`
  return new PosthasteError('DEADLINE_EXCEEDED', message)
}

function cancelled(contract: RequestContract, signal: AbortSignal): PosthasteError {
  return new PosthasteError('CANCELLED', `${contract.type}: the request was cancelled`, { cause: signal.reason })
}

function overloaded({ type }: RequestContract): PosthasteError {
  return new PosthasteError('OVERLOADED', `${type}: ${pendingMax} requests await their replies already`)
}

function requestedAlready({ type }: RequestContract, id: string): PosthasteError {
  return new PosthasteError('CONFLICT', `${type}: a request of the id ${id} awaits its reply already`)
}

function replyMissing({ type }: MessageContract): PosthasteError {
  return new PosthasteError('CONTRACT_INVALID', `${type} has no reply, so it cannot be requested`, {
    remedy: 'Give the command a reply, or send it.',
  })
}
