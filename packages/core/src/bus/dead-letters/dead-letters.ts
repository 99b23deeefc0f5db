import type { Clock, Engine, Log, MessageContract, OutgoingRecord } from '@posthaste/contracts'
import type { TimerWheel } from '../../pipeline/timer-wheel.ts'
import { browsingOf, scan, unsupported } from '../administration/scanning.ts'
import { type DeadLetter, parseDeadLetter, reviveDeadLetter } from './dead-letter.ts'
import { Redrive, type RedriveReport } from './redrive.ts'
import { type DeadLetterQuery, type RedriveOptions, readMoving, readQuery } from './selection.ts'

/** A page of dead letters, oldest first. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[]
  /** Pass as `after` for the next page; undefined at the end. A page may be short of its limit and have a next one. */
  readonly next: string | undefined
}

/**
 * The dead letters of one group of one contract. A group that nobody has ever consumed as has none. Before `start` all of
 * it fails with FAILED_PRECONDITION, after `close` with ENGINE_CLOSED.
 */
export interface DeadLetters {
  /**
   * A page of them. Disturbs nobody.
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot look into channels; CONFIG_INVALID
   */
  browse(query?: DeadLetterQuery): Promise<DeadLetterPage>
  /**
   * Gives dead letters back to the group that failed them, and to no other: the original message under its own id, its
   * attempts beginning at 1. Each goes at most once, also when several redrive at a time or when one that was interrupted
   * is begun again: what was moved is gone from here. One that an instance of a broadcast group failed goes back to that
   * instance, and is `NOT_FOUND` where that is gone.
   *
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot move or address records; CONFIG_INVALID; what the engine fails
   *   with in between, after which it may be begun again
   */
  redrive(what: RedriveOptions): Promise<RedriveReport>
  /**
   * Removes dead letters for good, and logs how many. Otherwise like {@link DeadLetters.redrive}.
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot move records; CONFIG_INVALID; what the engine fails with
   */
  discard(what: RedriveOptions): Promise<RedriveReport>
}

/** What dead letters are looked up with. */
export interface DeadLettersInit {
  readonly contract: MessageContract
  readonly group: string
  /** Where they stand. */
  readonly channel: string
  readonly engine: Engine
  /** Throws before the start, and after the close. */
  readonly checkUsable: () => void
  readonly clock: Clock
  readonly timers: TimerWheel
  readonly log: Log
  /** Aborted when the bus closes. */
  readonly closing: AbortSignal
}

/** Browses and moves through the engine's `browsing`. */
export function deadLettersOf(init: DeadLettersInit): DeadLetters {
  const { contract, group, engine, channel, checkUsable, clock, timers, log, closing } = init

  const run = async (moving: ReturnType<typeof readMoving>, replace: Replace): Promise<RedriveReport> => {
    checkUsable()
    const browsing = browsingOf(engine)
    return new Redrive({ channel, engineName: engine.name, browsing, timers, clock, closing, replace }, moving).run()
  }

  return {
    async browse(given = {}) {
      const { limit, after, finding } = readQuery(given)
      checkUsable()
      const page = await scan(browsingOf(engine), { channel, limit, after, match: finding.match }, finding.accepts)
      return { letters: page.records.map(parseDeadLetter), next: page.next }
    },
    async redrive(given) {
      const moving = readMoving('redrive', given)
      if (engine.capabilities.groupAddress === 'none') throw unsupported(engine, 'address records to one group')
      return run(moving, (letter) => [
        reviveDeadLetter(letter, { channel: contract.type, group: addressee(letter, group) }),
      ])
    },
    async discard(given) {
      const moving = readMoving('discard', given)
      const report = await run(moving, () => [])
      if (moving.dryRun) return report
      log.warn('dead letters were discarded', { channel, count: report.moved, failed: report.failed.length })
      return report
    },
  }
}

type Replace = (letter: OutgoingRecord) => readonly OutgoingRecord[]

/** The group that failed it: of a broadcast group, the instance's. What others may have put there counts for nothing. */
function addressee(letter: OutgoingRecord, group: string): string {
  const { dlgroup } = letter.headers
  return dlgroup?.startsWith(`${group}.`) === true ? dlgroup : group
}
