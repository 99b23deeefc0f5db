import type { PosthasteError, Timer } from '@posthaste/contracts'
import { notOpen, writeFailed } from '../errors.ts'
import type { Store, Transaction } from './store.ts'

/** Something with state that belongs into the next transaction. */
export interface Participant {
  /** Writes what changed since the last time; called right before the transaction begins. */
  write(tx: Transaction): void
  /** What was written is durable. Called in the order of joining, before anybody who waits is told. */
  committed(): void
}

type Tell = (failure: PosthasteError | undefined) => void

/** Somebody who waits for durability, and how many records it waits for. */
interface Waiter {
  readonly tell: Tell
  readonly records: number
}

/** A disk that takes longer than this for one transaction is taken for broken. */
const commitMsMax = 30_000
/** The time is counted in steps, so that it is the disk that was slow and not this process that stood still. */
const watchStepMs = 1_000

/** Records worth a transaction of their own, however many more the turn may bring. */
const recordsEnough = 512

/** A disk is slow in real time, whatever clock the application lives by. */
export type SetTimer = (delayMs: number, fire: () => void) => Timer

function realTimer(delayMs: number, fire: () => void): Timer {
  // tidy-allow timer: virtual time may leap by an hour while a transaction is being written
  const timer = setTimeout(fire, delayMs)
  timer.unref()
  return { cancel: () => clearTimeout(timer) }
}

type State = { readonly kind: 'open' } | { readonly kind: 'failed'; readonly cause: PosthasteError }

/**
 * One transaction at a time; whatever happens while it is being written is the next one. Batches so emerge from load:
 * alone, a publish is on its way at once; under load thousands share a sync, and no timer ever waits for company.
 *
 * A failed write is final: the state in memory is ahead of the state on disk, and pages that could not be written must
 * not be taken for written by a second try. Everything that waits and everything that comes later gets the error.
 *
 * @see "Can Applications Recover from fsync Failures?" (Rebello et al., USENIX ATC 2020)
 */
export class Committer {
  readonly #store: Pick<Store, 'commit'>
  readonly #setTimer: SetTimer
  readonly #onFailure: (failure: PosthasteError) => void
  #state: State = { kind: 'open' }
  #participants = new Set<Participant>()
  #waiters: Waiter[] = []
  /** Whose transaction is on disk, and who have not heard of it yet. */
  #untold: Waiter[] = []
  #telling = false
  #records = 0
  #running = false
  #scheduled = false

  constructor(
    store: Pick<Store, 'commit'>,
    onFailure: (failure: PosthasteError) => void,
    setTimer: SetTimer = realTimer,
  ) {
    this.#store = store
    this.#setTimer = setTimer
    this.#onFailure = onFailure
  }

  /** The error of the write that failed; undefined while all is well. */
  get failure(): PosthasteError | undefined {
    return this.#state.kind === 'failed' ? this.#state.cause : undefined
  }

  /** Puts a participant into the next transaction; once, however often it joins. */
  join(participant: Participant): void {
    this.#participants.add(participant)
    this.#schedule()
  }

  /**
   * Tells when everything that has joined so far is durable, or that it will never be.
   *
   * @param records how many records the waiter has brought: when enough have come in one turn, the store begins to write
   *   while the turn goes on to bring more
   */
  wait(tell: Tell, records = 0): void {
    if (this.#state.kind === 'failed') {
      tell(this.#state.cause)
      return
    }
    this.#waiters.push({ tell, records })
    this.#records += records
    if (this.#records >= recordsEnough && !this.#running) void this.#commit()
    else this.#schedule()
  }

  /** Resolves when everything that has joined so far is durable. Rejects when it cannot be. */
  flushed(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.wait((failure) => (failure === undefined ? resolve() : reject(failure)))
    })
  }

  /** The end of this turn of the event loop gathers all that the turn brings. */
  #schedule(): void {
    if (this.#running || this.#scheduled || this.#state.kind === 'failed') return
    this.#scheduled = true
    setImmediate(() => {
      this.#scheduled = false
      if (!this.#running && (this.#participants.size > 0 || this.#waiters.length > 0)) void this.#commit()
    })
  }

  async #commit(): Promise<void> {
    // Whoever joins while the last transaction ends must not have the next one begin in a store that is being closed.
    if (this.#state.kind === 'failed') return
    const participants = [...this.#participants]
    const waiters = this.#waiters
    this.#participants = new Set()
    this.#waiters = []
    this.#records = 0
    this.#running = true
    try {
      await this.#watched(
        this.#store.commit((tx) => {
          for (const participant of participants) participant.write(tx)
        }),
      )
      for (const participant of participants) participant.committed()
    } catch (cause) {
      return this.#fail(writeFailed(cause), waiters)
    }
    this.#running = false
    if (this.#participants.size > 0 || this.#waiters.length > 0) void this.#commit()
    // One by one: as arguments, a few hundred thousand would overflow the stack.
    for (const waiter of waiters) this.#untold.push(waiter)
    if (!this.#telling) this.#tell()
  }

  /**
   * In portions, each in a turn of its own and all in order: what those who are told do at once can be on its way to the disk
   * while the next are told.
   */
  #tell(): void {
    let records = 0
    let told = 0
    while (told < this.#untold.length && records < recordsEnough) {
      const waiter = this.#untold[told++]!
      records += waiter.records
      waiter.tell(undefined)
    }
    this.#untold.splice(0, told)
    this.#telling = this.#untold.length > 0
    if (this.#telling) setImmediate(() => this.#tell())
  }

  /** Those whose transaction is on disk must not hear of what came after it. */
  #tellAll(): void {
    for (const { tell } of this.#untold.splice(0)) tell(undefined)
  }

  /** After some I/O errors the store never answers at all. */
  #watched(commit: Promise<void>): Promise<void> {
    return new Promise((resolve, reject) => {
      const watch = this.#watch(() => reject(new Error(`no answer within ${commitMsMax} ms`)))
      commit.then(resolve, reject).finally(() => watch.cancel())
    })
  }

  /**
   * Calls `late` after `commitMsMax`. In a process that was stopped, or that blocked its event loop, a timer fires before an
   * answer that has long been there is read; so each step is followed by turns of the loop in which it is.
   */
  #watch(late: () => void): Timer {
    let passedMs = 0
    let cancelled = false
    let timer: Timer | undefined
    const step = (): void => {
      if (cancelled) return
      timer = this.#setTimer(watchStepMs, () => {
        passedMs += watchStepMs
        if (passedMs >= commitMsMax) late()
        else setImmediate(() => setImmediate(step))
      })
    }
    step()
    return {
      cancel: () => {
        cancelled = true
        timer?.cancel()
      },
    }
  }

  /** From here on nothing is begun: the store is about to be closed. What waits for a transaction to come is told so. */
  close(): void {
    if (this.#state.kind === 'failed') return
    const cause = notOpen()
    const waiters = this.#waiters
    this.#state = { kind: 'failed', cause }
    this.#waiters = []
    this.#participants.clear()
    this.#tellAll()
    for (const { tell } of waiters) tell(cause)
  }

  #fail(failure: PosthasteError, waiters: readonly Waiter[]): void {
    const later = this.#waiters
    this.#state = { kind: 'failed', cause: failure }
    this.#waiters = []
    this.#participants.clear()
    this.#tellAll()
    this.#onFailure(failure)
    for (const { tell } of [...waiters, ...later]) tell(failure)
  }
}
