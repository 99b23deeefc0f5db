import {
  type KeyRangeControl,
  type NoteChange,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  succeeded,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { backoffCeilingMs } from '../../resilience/retry/backoff.ts'

/** What became of a change: it is durable, or the range is not ours any more. */
export type WhenNoted = (outcome: Outcome) => void

/** What a writer works with. */
export interface NoteWriterInit {
  readonly range: string
  readonly control: KeyRangeControl
  readonly deps: FilterDeps
  /** All that was written is answered: whoever waits for that is to look again. */
  idle(): void
}

interface Job {
  readonly change: NoteChange
  readonly done: WhenNoted
}

const backoff = { baseMs: 50, factor: 2, maxMs: 10_000 }

/** Most changes that go to the engine in one call. */
const batchMax = 256

/**
 * Writes the notes of one key range in the order of the calls: what is written within one turn, and while the engine is
 * busy, goes in one call. What fails is tried again after growing waits, for as long as the range is ours.
 */
export class NoteWriter {
  readonly #init: NoteWriterInit
  #jobs: Job[] = []
  /** Calls that are under way, or to be made again. */
  #underWay: readonly Job[] = []
  #finishing = new Set<WhenNoted>()
  #isPlanned = false
  #failures = 0
  #lostBy: Outcome | undefined

  constructor(init: NoteWriterInit) {
    this.#init = init
  }

  get isIdle(): boolean {
    return this.#jobs.length === 0 && this.#underWay.length === 0 && this.#finishing.size === 0
  }

  /** `done` is told once it is durable, never from within the call. */
  write(name: string, record: OutgoingRecord | undefined, done: WhenNoted): void {
    this.#jobs.push({ change: { name, record }, done })
    if (this.#isPlanned || this.#underWay.length > 0) return
    this.#isPlanned = true
    queueMicrotask(() => this.#flush())
  }

  /** Erases a note and publishes with it. Not tried again: whoever publishes must know why it cannot be. */
  async finish(name: string, publish: readonly OutgoingRecord[]): Promise<Outcome> {
    if (this.#lostBy !== undefined) return this.#lostBy
    return new Promise((resolve) => {
      const done = (outcome: Outcome): void => {
        if (this.#finishing.delete(done)) resolve(outcome)
      }
      this.#finishing.add(done)
      void this.#note([{ name, record: undefined }], publish).then(done)
    })
  }

  /** The range is not ours any more: all that is not answered is told so. */
  lose(reason: PosthasteError): void {
    const lost: Outcome = { ok: false, error: reason }
    this.#lostBy = lost
    const jobs = [...this.#underWay, ...this.#jobs]
    this.#underWay = []
    this.#jobs = []
    for (const { done } of jobs) done(lost)
    for (const done of [...this.#finishing]) done(lost)
  }

  #flush(): void {
    this.#isPlanned = false
    if (this.#jobs.length === 0 || this.#underWay.length > 0) return
    this.#underWay = this.#jobs.slice(0, batchMax)
    this.#jobs = this.#jobs.slice(batchMax)
    this.#call()
  }

  #call(): void {
    const jobs = this.#underWay
    const changes = jobs.map(({ change }) => change)
    void this.#note(changes).then((outcome) => {
      // Lost meanwhile.
      if (jobs !== this.#underWay) return
      if (!outcome.ok && !PosthasteError.is(outcome.error, 'DELIVERY_LOST')) {
        this.#later(outcome.error)
        return
      }
      this.#failures = 0
      this.#underWay = []
      for (const { done } of jobs) done(outcome.ok ? succeeded : outcome)
      this.#flush()
      if (this.isIdle) this.#init.idle()
    })
  }

  #later(error: PosthasteError): void {
    const { range, deps } = this.#init
    const { log, timers, random, target } = deps
    this.#failures += 1
    const delayMs = backoffCeilingMs(backoff, this.#failures) * (0.5 + random() / 2)
    const about = { target, range, count: this.#underWay.length, delayMs, error }
    log.warn('notes of a key range were not written; trying again', about)
    const jobs = this.#underWay
    timers.set(delayMs, () => {
      if (jobs === this.#underWay) this.#call()
    })
  }

  async #note(changes: readonly NoteChange[], publish?: readonly OutgoingRecord[]): Promise<Outcome> {
    const { range, control } = this.#init
    if (this.#lostBy !== undefined) return this.#lostBy
    try {
      return await control.note(range, changes, publish)
    } catch (thrown) {
      return { ok: false, error: PosthasteError.from(thrown, 'UNAVAILABLE', 'the engine could not write a note') }
    }
  }
}
