import type { MaybePromise, PosthasteError, Settlement } from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { TimerWheel } from '../../pipeline/timer-wheel.ts'
import type { Aftermath } from './aftermath.ts'
import type { AtMostOnce } from './at-most-once.ts'
import type { BatchHandling } from './batch-handling.ts'
import { doneQuietly, type Ending } from './ending.ts'
import { Gathering } from './gathering.ts'
import type { Handling } from './handling.ts'
import type { BatchSettings } from './options.ts'
import { type Ready, readyOf } from './ready.ts'
import type { Work } from './work.ts'

/** What a runner is made of. */
export interface RunnerInit {
  /** Most handlers at a time. */
  readonly concurrency: number
  /** Levels of priority; 1 for none. */
  readonly priorities: number
  readonly handling: Handling
  /** There for messages that are acknowledged before their handler is entered. */
  readonly atMostOnce: AtMostOnce | undefined
  /** There for handlers that take batches. */
  readonly batches: { readonly settings: BatchSettings; readonly handling: BatchHandling } | undefined
  readonly aftermath: Aftermath
}

/** What a runner asks of the consumer that it runs for, and tells it. */
export interface RunnerHost {
  /** Whether handlers may be started at this moment. */
  mayStart(): boolean
  /** Whether nothing more comes in before something is settled. */
  isFull(): boolean
  /** The delivery was lost while it waited. */
  gone(work: Work): void
  /** The delivery is not fit for a handler. */
  unfit(work: Work, settlement: Settlement): void
  /** The handling is over; the delivery may be lost or handed back by now. */
  ended(work: Work, ending: Ending): void
  /** To be acknowledged before its handler is entered. */
  acknowledge(work: Work): void
  /** What was acknowledged before has been handled. */
  left(work: Work): void
  /** Something has come to an end, apart from what is being told. */
  look(): void
  /** A bug of the core's own. */
  broke(thrown: unknown): void
}

/**
 * Starts handlers for deliveries that have their turn, as many at a time as the concurrency allows: each by itself, in
 * batches, or after its acknowledgement. Hot path: no promise, closure or array per message of a synchronous handler.
 */
export class Runner {
  readonly #init: RunnerInit
  readonly #host: RunnerHost
  readonly #gathering: Gathering | undefined
  readonly #ready: Ready
  /** How many are acknowledged before their handlers are entered, and the engine does not have it yet. */
  #acking = 0
  #running = 0
  #pumping = false

  constructor(init: RunnerInit, timers: TimerWheel, host: RunnerHost) {
    const { batches } = init
    this.#init = init
    this.#host = host
    this.#gathering = batches && new Gathering(batches.settings, timers, () => this.schedule())
    this.#ready = readyOf(init.priorities)
  }

  /** Handlers that run; a batch's counts as one. */
  get running(): number {
    return this.#running
  }

  /** Takes a delivery whose turn it is. */
  add(work: Work): void {
    this.#ready.push(work)
    this.schedule()
  }

  /** More has come in, also of what waits for its key: a batch that waits for more may be as full as it gets. */
  gather(): void {
    if (this.#gathering !== undefined) this.schedule()
  }

  /** Handlers run in a turn of their own, not inside the engine's call of `deliver`. */
  schedule(): void {
    if (this.#pumping) return
    this.#pumping = true
    queueMicrotask(() => {
      try {
        this.#pump()
      } catch (thrown) {
        this.#host.broke(thrown)
      } finally {
        this.#pumping = false
      }
    })
  }

  /** Takes out all that has not been started, for whoever puts an end to it. */
  *close(): Generator<Work> {
    this.#gathering?.close()
    for (let work = this.#ready.shift(); work !== undefined; work = this.#ready.shift()) yield work
  }

  /** Takes out what the engine would have back of all that has not been started. */
  takeRecalled(): Work[] {
    const recalled: Work[] = []
    for (let left = this.#ready.length; left > 0; left -= 1) {
      const work = this.#ready.shift()!
      if (work.recalled) recalled.push(work)
      else this.#ready.push(work)
    }
    return recalled
  }

  /** Nobody is going to say any more what was acknowledged: handlers that waited for it are not entered. */
  end(): void {
    this.#gathering?.close()
    this.#running -= this.#acking
    this.#acking = 0
  }

  #pump(): void {
    const { concurrency } = this.#init
    while (this.#running < concurrency && this.#ready.length > 0 && this.#host.mayStart()) {
      if (this.#gathering !== undefined) {
        if (!this.#gathering.isDue(this.#ready.length, this.#host.isFull())) return
        this.#beginBatch(this.#gathering.max)
      } else {
        const work = this.#next()
        if (work !== undefined) this.#begin(work)
      }
    }
  }

  /** The next delivery that is ready and fit to be begun; undefined where that one is not. */
  #next(): Work | undefined {
    const work = this.#ready.shift()!
    if (work.state === 'gone') {
      this.#host.gone(work)
      return undefined
    }
    const unfit = this.#init.aftermath.onArrival(work)
    if (unfit === undefined) {
      work.state = 'running'
      return work
    }
    this.#host.unfit(work, unfit)
    return undefined
  }

  #begin(work: Work): void {
    const { handling, atMostOnce } = this.#init
    this.#running += 1
    if (atMostOnce !== undefined) {
      this.#beginAcked(work)
      return
    }
    const ending: MaybePromise<Ending> = handling.handle(work)
    if (isPromiseLike(ending)) ending.then((later) => this.#finishLater(work, later))
    else this.#finish(work, ending)
  }

  /** Hot path: a method, so that no closure but the promise's own is made per message. */
  #finishLater(work: Work, ending: Ending): void {
    try {
      this.#finish(work, ending)
      this.#pump()
      this.#host.look()
    } catch (thrown) {
      this.#host.broke(thrown)
    }
  }

  #finish(work: Work, ending: Ending): void {
    this.#running -= 1
    this.#host.ended(work, ending)
  }

  /** Does what was waited for, and then whatever that has made possible. */
  #afterwards(run: () => void): void {
    try {
      run()
      this.#pump()
      this.#host.look()
    } catch (thrown) {
      this.#host.broke(thrown)
    }
  }

  // ── Batches ─────────────────────────────────────────────────────────────────────────────────────────────────────

  #beginBatch(max: number): void {
    const works: Work[] = []
    while (works.length < max && this.#ready.length > 0) {
      const work = this.#next()
      if (work !== undefined) works.push(work)
    }
    if (works.length === 0) return
    this.#running += 1
    const finish = (endings: readonly Ending[]): void => {
      this.#running -= 1
      for (const [at, work] of works.entries()) this.#host.ended(work, endings[at]!)
    }
    const endings = this.#init.batches!.handling.handle(works)
    if (isPromiseLike(endings)) endings.then((later) => this.#afterwards(() => finish(later)))
    else finish(endings)
  }

  // ── At most once ────────────────────────────────────────────────────────────────────────────────────────────────

  /** What can be read is acknowledged, and its handler entered when the engine has that. */
  #beginAcked(work: Work): void {
    const readable = (unread: Ending | undefined): void => {
      if (unread !== undefined || work.state !== 'running') this.#finish(work, unread ?? doneQuietly)
      else {
        work.acking = true
        this.#acking += 1
        this.#host.acknowledge(work)
      }
    }
    const unread = this.#init.handling.read(work)
    if (isPromiseLike(unread)) unread.then((later) => this.#afterwards(() => readable(later)))
    else readable(unread)
  }

  /** @returns whether a handler was to be entered after this settlement, which the engine has answered */
  stopAcking(work: Work): boolean {
    if (this.#acking === 0 || !work.acking) return false
    work.acking = false
    this.#acking -= 1
    this.#running -= 1
    // Its place is free, for itself or for another.
    this.schedule()
    return true
  }

  /** The engine has the acknowledgement: nobody else is going to handle the message. */
  enter(work: Work): void {
    const left = (): void => {
      this.#running -= 1
      this.#host.left(work)
    }
    this.#running += 1
    work.state = 'running'
    const ended = this.#init.atMostOnce!.enter(work)
    if (isPromiseLike(ended)) ended.then(() => this.#afterwards(left))
    else left()
  }

  /** Tells handlers of messages that are acknowledged already to stop. */
  cancel(reason: PosthasteError): void {
    this.#init.atMostOnce?.cancel(reason)
  }
}
