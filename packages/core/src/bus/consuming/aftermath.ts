import {
  type EngineCapabilities,
  type OutgoingRecord,
  PosthasteError,
  type ReleaseSettlement,
  type Settlement,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { composeDeadLetter } from '../dead-letters/dead-letter.ts'
import { afterFailure, exhausted, type Failure, type FailureRules } from './after-failure.ts'
import type { Answering } from './answering.ts'
import { isExhaustedOnArrival } from './ladder.ts'
import type { SubscriptionCounters } from './stats.ts'
import type { Work } from './work.ts'

/** What the end of a delivery is decided with. */
export interface AftermathInit {
  /** The engine's name of the group. */
  readonly group: string
  /** The name of the channel of dead letters; of a rule's own where it names one. */
  readonly deadLetters: (target: string | undefined) => string
  readonly rules: FailureRules
  /** Deliveries after the first that the longest of all ladders has. */
  readonly delayedMax: number
  readonly expired: 'dead-letter' | 'drop'
  /** There where the messages may be requests. */
  readonly answering: Answering | undefined
  readonly capabilities: EngineCapabilities
  readonly counters: SubscriptionCounters
  readonly deps: FilterDeps
}

/**
 * Decides how deliveries are settled that were not simply handled, and says in {@link Work.end} what that counts as. It
 * settles nothing itself, and knows nothing of other deliveries.
 */
export class Aftermath {
  readonly #init: AftermathInit

  constructor(init: AftermathInit) {
    this.#init = init
  }

  /** How a delivery is settled that is not to be begun; undefined for one that is. Hot path. */
  onArrival(work: Work): Settlement | undefined {
    const { delivery, record } = work
    if (isExhaustedOnArrival(delivery.attempt, this.#init.delayedMax)) {
      return this.afterFailure(work, { error: exhausted(delivery.attempt), by: 'arrival' })
    }
    if (work.unwanted) return this.drop(work, 'expired')
    if (record.expiresAtMs === undefined || record.expiresAtMs > this.#init.deps.clock.nowMs()) return undefined
    return this.#expired(work)
  }

  /** How a delivery is settled whose handling failed. */
  afterFailure(work: Work, failure: Failure): Settlement {
    const { rules, deps } = this.#init
    const { attempt } = work.delivery
    if (this.#isGivenUp(work)) return this.drop(work, 'expired')
    const follows = afterFailure(failure, attempt, rules)
    if (follows.kind === 'deadLetter') return this.bury(work, follows)
    if (follows.kind === 'ignore') return this.drop(work, 'ignored', this.#failureReply(work, failure.error))
    const { target } = deps
    deps.log.debug('to be delivered again', { target, id: work.record.id, attempt, ...follows, error: failure.error })
    return this.#release(work, follows)
  }

  /** Done with a delivery, without a dead letter. */
  drop(work: Work, end: 'ignored' | 'expired' | 'filtered', reply?: OutgoingRecord): Settlement {
    work.end = end
    return { kind: 'ack', tag: work.delivery.tag, publish: reply && [reply] }
  }

  /** Back to the group, uncounted and at once. `holdKey`: the engine goes on holding back what comes behind it. */
  handBack(work: Work, holdKey?: boolean): ReleaseSettlement {
    work.end = 'handedBack'
    return { kind: 'release', tag: work.delivery.tag, countsAttempt: false, ...(holdKey !== undefined && { holdKey }) }
  }

  /** To the dead letters; whoever awaits an answer is told why. */
  bury(work: Work, why: { readonly error: PosthasteError; readonly to?: string | undefined }): Settlement {
    const { group, deadLetters, capabilities, deps } = this.#init
    const { error, to } = why
    const { attempt, tag } = work.delivery
    deps.log.warn('to the dead letters', { target: deps.target, id: work.record.id, attempt, error })
    const { headerBytesMax } = capabilities
    const death = { error, group, channel: deadLetters(to), atMs: deps.clock.nowMs(), headerBytesMax }
    const letter = composeDeadLetter(work.delivery, death)
    const reply = this.#failureReply(work, error)
    work.end = 'deadLettered'
    return { kind: 'ack', tag, publish: reply === undefined ? [letter] : [letter, reply] }
  }

  /**
   * What takes the place of a settlement that the engine refuses for good: a reply that cannot be stored is left out, and
   * what a handler publishes that cannot be is a failure of the message. A dead letter has to be, some day.
   */
  afterRefusal(work: Work, settlement: Settlement, error: PosthasteError): Settlement {
    if (settlement.kind !== 'ack') return settlement
    const { deps, answering } = this.#init
    const rest = answering?.withoutReply(settlement.publish)
    if (rest !== undefined) {
      deps.log.warn('a reply could not be sent', { target: deps.target, id: work.record.id, error })
      return { ...settlement, publish: rest.length === 0 ? undefined : rest }
    }
    return work.end === 'acked' ? this.bury(work, { error }) : settlement
  }

  #release(work: Work, how: { readonly kind: 'retry' | 'handBack'; readonly afterMs: number }): ReleaseSettlement {
    const { capabilities, deps } = this.#init
    const later = capabilities.delay === 'native' && how.afterMs > 0
    work.end = how.kind === 'retry' ? 'retried' : 'handedBack'
    return {
      kind: 'release',
      tag: work.delivery.tag,
      countsAttempt: how.kind === 'retry',
      visibleAtMs: later ? Math.ceil(deps.clock.nowMs() + how.afterMs) : undefined,
      holdKey: work.key !== undefined && capabilities.holdKey === 'native',
    }
  }

  #expired(work: Work): Settlement {
    const { expired, counters, deps, rules, answering } = this.#init
    if (expired === 'drop' || answering?.isRequest(work.record)) return this.drop(work, 'expired')
    counters.expired += 1
    const error = new PosthasteError('MESSAGE_EXPIRED', `it expired before ${deps.target} could handle it`)
    const follows = afterFailure({ error, by: 'arrival' }, work.delivery.attempt, rules)
    return follows.kind === 'deadLetter' ? this.bury(work, follows) : this.drop(work, 'ignored')
  }

  /** A request that nobody waits for any more is not worth another attempt, nor a dead letter. */
  #isGivenUp({ unwanted, record }: Work): boolean {
    const { answering } = this.#init
    return unwanted || (answering?.isRequest(record) === true && answering.isOver(record))
  }

  #failureReply({ record }: Work, error: PosthasteError): OutgoingRecord | undefined {
    const { answering } = this.#init
    return answering?.isRequest(record) ? answering.failure(record, error) : undefined
  }
}
