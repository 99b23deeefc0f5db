import {
  type EventContract,
  event,
  type Headers,
  type MaybePromise,
  type OutgoingRecord,
  PosthasteError,
  type RequestContract,
  type Schema,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import { issuesText, plainMessage } from '../error-text.ts'
import { attributeText, headersFit, publishedBytesMax, publishedHeadersMax } from '../publishing/attributes.ts'
import { derivedId } from '../publishing/derived-ids.ts'
import type { Origin, RecordComposer } from '../publishing/record.ts'
import {
  isReplyChannel,
  replyCodeHeader,
  replyIssuesHeader,
  replyMessageHeader,
  replyPlaceOf,
  replyType,
} from '../replies.ts'

/** What answers are made with. */
export interface AnsweringInit {
  readonly command: RequestContract
  readonly composer: RecordComposer
  /** Who answers. */
  readonly group: string
  /** Names the handler in errors. */
  readonly target: string
  readonly nowMs: () => number
  /** The engine's limit for headers. */
  readonly headerBytesMax: () => number
}

/** What its handlers publish is numbered from 1. */
const replyOrdinal = 0
const messageLengthMax = 1_024

const anything: Schema<undefined, undefined> = {
  '~standard': { version: 1, vendor: 'posthaste', validate: () => ({ value: undefined }) },
}

/** Answers the requests among the messages of one command. There only for commands that have a `reply`. */
export class Answering {
  readonly #init: AnsweringInit
  /** Replies are composed like events: checked, written and bounded the same way. */
  readonly #reply: EventContract
  readonly #failure: EventContract

  constructor(init: AnsweringInit) {
    const { type, reply, codec } = init.command
    this.#init = init
    this.#reply = event(replyType(type), { data: reply, codec })
    this.#failure = event(replyType(type), { data: anything })
  }

  /** Whether somebody awaits an answer to a message. */
  isRequest({ headers }: OutgoingRecord): boolean {
    return replyPlaceOf(headers.replyto) !== undefined
  }

  /** Whether nobody awaits it any more. */
  isOver({ expiresAtMs }: OutgoingRecord): boolean {
    return expiresAtMs !== undefined && expiresAtMs <= this.#init.nowMs()
  }

  /**
   * The reply to a request that was handled.
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE when what the handler returned cannot be sent; thrown or rejected
   */
  reply(request: OutgoingRecord, answer: unknown): MaybePromise<OutgoingRecord> {
    const record = this.#init.composer.compose(this.#reply, answer, {
      options: undefined,
      origin: this.#origin(request),
    })
    return isPromiseLike(record) ? record.then((ready) => addressed(ready, request)) : addressed(record, request)
  }

  /**
   * The reply to a request that failed for good. Of what the handler threw, only `PosthasteError`s are told. Undefined for
   * a request whose own attributes leave no room for a reply: it is to be settled nevertheless.
   */
  failure(request: OutgoingRecord, error: PosthasteError): OutgoingRecord | undefined {
    try {
      return this.#failed(request, error)
    } catch {
      return undefined
    }
  }

  /** A settlement's records without the reply; undefined where there is none among them. */
  withoutReply(records: readonly OutgoingRecord[] | undefined): readonly OutgoingRecord[] | undefined {
    const others = records?.filter(({ channel }) => !isReplyChannel(channel))
    return others === undefined || others.length === records?.length ? undefined : others
  }

  #failed(request: OutgoingRecord, error: PosthasteError): OutgoingRecord {
    const origin = this.#origin(request)
    // Synchronous: there is no data to check or to leave in a store.
    const record = this.#init.composer.compose(this.#failure, undefined, {
      options: undefined,
      origin,
    }) as OutgoingRecord
    const { code, message, issues } = this.#told(error)
    const brief = { ...record.headers, [replyCodeHeader]: code, [replyMessageHeader]: message }
    const full = issues === undefined ? brief : { ...brief, [replyIssuesHeader]: issues }
    const bytesMax = publishedBytesMax(this.#init.headerBytesMax())
    const fits = (headers: Headers): boolean => headersFit(headers, publishedHeadersMax, bytesMax)
    const headers = [full, brief].find(fits) ?? { ...brief, [replyMessageHeader]: '' }
    return addressed({ ...record, headers }, request)
  }

  #origin({ id, headers }: OutgoingRecord): Origin {
    return {
      id: derivedId(id, this.#init.group, replyOrdinal),
      causationId: id,
      correlationId: headers.correlationid ?? id,
    }
  }

  #told(error: PosthasteError) {
    // What the last attempt failed with says more than that there are no further attempts.
    const exhausted = error.code === 'ATTEMPTS_EXHAUSTED' && PosthasteError.is(error.cause)
    const own = exhausted ? (error.cause as PosthasteError) : error
    const inner = own.code === 'HANDLER_FAILED' && own.cause !== undefined
    const message = inner ? `the handler of ${this.#init.target} failed` : plainMessage(own)
    return { code: own.code, message: attributeText(message, messageLengthMax), issues: issuesText(own.issues) }
  }
}

function addressed(record: OutgoingRecord, { headers, expiresAtMs }: OutgoingRecord): OutgoingRecord {
  return { ...record, ...replyPlaceOf(headers.replyto), expiresAtMs }
}
