import { type Clock, type Outcome, succeeded, type Timer } from '@posthaste/contracts'
import { unavailable } from './errors.ts'

/** What a pipeline does with items. */
export interface PipelineWork<Item> {
  readonly clock: Clock
  readonly timeoutMs: number
  /** So many batches may be under way at a time. */
  readonly underWayMax: number
  /** What is said of an item that is not even sent; undefined where it is. */
  refuse(item: Item): Outcome | undefined
  /** Begins a batch, the how-manieth since the last restart. */
  begin(number: number): void
  pack(item: Item): void
  /** Bytes packed so far. */
  packedBytes(): number
  /** Sends what is packed. @returns false when no more should be sent before `writable` */
  send(): boolean
  /**
   * What an outcome comes to, told of each item. Absent where outcomes are what they are, so that a batch that went well costs
   * nothing per item.
   */
  readonly settled?: (item: Item, outcome: Outcome, repeated: boolean) => Outcome
}

/** Items that came together and are answered together. */
interface Call<Item> {
  readonly items: readonly Item[]
  /** Undefined while all of them are well. */
  outcomes: Outcome[] | undefined
  /** 0 once it is answered, or given up. */
  unanswered: number
  readonly deadlineMs: number
  readonly resolve: (outcomes: readonly Outcome[]) => void
}

/** Items of a call that follow each other: those that wait, or those in a batch. */
interface Share<Item> {
  readonly call: Call<Item>
  readonly from: number
  /** The first that is not of it. */
  readonly to: number
}

interface Batch<Item> {
  readonly shares: readonly Share<Item>[]
  /** Whether it was sent before, over a connection that is gone. */
  repeated: boolean
}

/** A batch is large enough with so many bytes: it fits into a frame of link, and so leaves at once. */
const batchBytesEnough = 60 * 1024
/** So many items are not held back for what else may come in the turn: the other side has them while the rest is made. */
const worthSending = 256
/** Answered calls that are worth being forgotten. */
const forgetEnough = 1_024
/** Most items of a batch. */
const batchItemsMax = 4_096

/**
 * Sends items in their order, in batches that emerge: what comes in one turn goes together, unless it is much. Over a lost connection it keeps
 * what is not answered: it is sent again where the other side does not have it. Hot path.
 */
export class Pipeline<Item> {
  readonly #work: PipelineWork<Item>
  /** What is not sent yet. */
  #queue: Share<Item>[] = []
  #underWay: Batch<Item>[] = []
  /** Calls, the oldest first; those before `#oldest` are answered. */
  #open: Call<Item>[] = []
  #oldest = 0
  #sent = 0
  #answered = 0
  /** Items of the batch that is being packed. */
  #packed = 0
  #isAttached = false
  #isWritable = true
  #isScheduled = false
  #timer: Timer | undefined
  readonly #idle: (() => void)[] = []

  constructor(work: PipelineWork<Item>) {
    this.#work = work
  }

  /** Batches since the last restart whose outcomes are known. */
  get answeredBatches(): number {
    return this.#answered
  }

  /** Resolves with an outcome for each item; never rejects. */
  add(items: readonly Item[]): Promise<readonly Outcome[]> {
    if (items.length === 0) return Promise.resolve([])
    return new Promise((resolve) => {
      const deadlineMs = this.#work.clock.monotonicMs() + this.#work.timeoutMs
      const call: Call<Item> = { items, outcomes: undefined, unanswered: items.length, deadlineMs, resolve }
      this.#queue.push({ call, from: 0, to: items.length })
      this.#open.push(call)
      this.#timer ??= this.#work.clock.setTimer(this.#work.timeoutMs, () => this.#sweep())
      if (items.length < worthSending) this.#soon()
      else this.#sendAll()
    })
  }

  // ── The connection ────────────────────────────────────────────────────────────────────────────────────────────────

  /** There is a stream, and the other side has so many batches since the last restart: the others are sent again. */
  attach(taken: number): void {
    this.#isAttached = true
    this.#isWritable = true
    for (const batch of this.#underWay) batch.repeated = true
    for (let at = taken - this.#answered; at < this.#underWay.length; at++) {
      if (at >= 0) this.#send(this.#underWay[at]!, this.#answered + at + 1)
    }
    this.#soon()
  }

  /** There is none. */
  detach(): void {
    this.#isAttached = false
  }

  /**
   * The other side knows nothing of before: of what was sent nobody can say whether it happened, and what was not is sent as if
   * nothing had been.
   */
  restart(outcome: Outcome): void {
    this.#isAttached = false
    const underWay = this.#underWay
    this.#underWay = []
    this.#sent = 0
    this.#answered = 0
    for (const { shares } of underWay) for (const { call } of shares) this.#expire(call, outcome)
    this.#queue = this.#queue.filter(({ call }) => call.unanswered > 0)
    this.#tellIdle()
  }

  /** The other side has answered all that it has taken: the rest is sent another time, as if it had not been. */
  returned(): void {
    const shares = this.#underWay.flatMap((batch) => batch.shares)
    this.#underWay = []
    this.#sent = this.#answered
    this.#queue = [...shares, ...this.#queue]
  }

  /** Nothing of it will be answered any more. What comes later is numbered from 1. */
  fail(outcome: Outcome): void {
    this.#isAttached = false
    this.#sent = 0
    this.#answered = 0
    this.#underWay = []
    this.#queue = []
    const open = this.#open.splice(0)
    this.#oldest = 0
    for (const call of open) this.#expire(call, outcome)
    this.#tellIdle()
  }

  writable(): void {
    this.#isWritable = true
    this.#soon()
  }

  /** The oldest batch under way is answered. */
  answered(failures: ReadonlyMap<number, Outcome>): void {
    const batch = this.#underWay.shift()
    if (batch === undefined) return
    this.#answered += 1
    let place = 0
    for (const { call, from, to } of batch.shares) {
      if (call.unanswered > 0) this.#take(call, { from, to, place, failures, repeated: batch.repeated })
      place += to - from
    }
    this.#forgetAnswered()
    if (this.#queue.length > 0) this.#soon()
    else this.#tellIdle()
  }

  /** Resolves when all that was added is answered. */
  async idle(): Promise<void> {
    if (this.#queue.length === 0 && this.#underWay.length === 0) return
    await new Promise<void>((resolve) => this.#idle.push(resolve))
  }

  // ── Sending ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #soon(): void {
    if (this.#isScheduled || !this.#isAttached || this.#queue.length === 0) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#sendAll()
    })
  }

  #sendAll(): void {
    while (this.#maySend()) this.#sendNext()
    this.#tellIdle()
  }

  #maySend(): boolean {
    const { underWayMax } = this.#work
    return this.#isAttached && this.#isWritable && this.#queue.length > 0 && this.#underWay.length < underWayMax
  }

  #sendNext(): void {
    const work = this.#work
    const shares: Share<Item>[] = []
    let rest: Share<Item> | undefined
    let done = 0
    this.#packed = 0
    work.begin(this.#sent + 1)
    while (done < this.#queue.length && rest === undefined) rest = this.#pack(this.#queue[done++]!, shares)
    // Not one by one: there may be thousands.
    this.#queue = done === this.#queue.length ? [] : this.#queue.slice(done)
    if (rest !== undefined) this.#queue.unshift(rest)
    if (shares.length === 0) return
    this.#sent += 1
    this.#underWay.push({ shares, repeated: false })
    this.#isWritable = work.send()
  }

  /** Nearly always a call goes as a whole, and costs nothing here. @returns what is left of it for the next batch */
  #pack(waiting: Share<Item>, shares: Share<Item>[]): Share<Item> | undefined {
    const work = this.#work
    const { call, from, to } = waiting
    // It was given up before its turn came.
    if (call.unanswered === 0) return undefined
    let [begin, at] = [from, from]
    for (; at < to && this.#packed < batchItemsMax && work.packedBytes() < batchBytesEnough; at++) {
      const item = call.items[at]!
      const refusal = work.refuse(item)
      if (refusal === undefined) {
        work.pack(item)
        this.#packed++
        continue
      }
      outcomesOf(call)[at] = refusal
      this.#answer(call, 1)
      if (at > begin) shares.push({ call, from: begin, to: at })
      begin = at + 1
    }
    if (begin === from && at === to) shares.push(waiting)
    else if (at > begin) shares.push({ call, from: begin, to: at })
    return at < to ? { call, from: at, to } : undefined
  }

  /** Sends a batch again. */
  #send(batch: Batch<Item>, number: number): void {
    const work = this.#work
    work.begin(number)
    for (const { call, from, to } of batch.shares) for (let at = from; at < to; at++) work.pack(call.items[at]!)
    this.#isWritable = work.send()
  }

  // ── Answers ───────────────────────────────────────────────────────────────────────────────────────────────────────

  #take(
    call: Call<Item>,
    {
      from,
      to,
      place,
      failures,
      repeated,
    }: Omit<Share<Item>, 'call'> & {
      readonly place: number
      readonly failures: ReadonlyMap<number, Outcome>
      readonly repeated: boolean
    },
  ): void {
    const { settled } = this.#work
    if (settled !== undefined || failures.size > 0) {
      for (let at = from; at < to; at++) {
        const outcome = failures.get(place + at - from) ?? succeeded
        const told = settled === undefined ? outcome : settled(call.items[at]!, outcome, repeated)
        if (!told.ok) outcomesOf(call)[at] = told
      }
    }
    this.#answer(call, to - from)
  }

  #answer(call: Call<Item>, count: number): void {
    if (call.unanswered === 0) return
    call.unanswered -= count
    if (call.unanswered === 0) call.resolve(call.outcomes ?? allWell(call.items.length))
  }

  #forgetAnswered(): void {
    const open = this.#open
    while (this.#oldest < open.length && open[this.#oldest]!.unanswered === 0) this.#oldest++
    if (this.#oldest < forgetEnough || this.#oldest * 2 < open.length) return
    open.splice(0, this.#oldest)
    this.#oldest = 0
  }

  /** What is not answered in time is told so; it may still happen. */
  #sweep(): void {
    const { clock } = this.#work
    const nowMs = clock.monotonicMs()
    this.#forgetAnswered()
    while (this.#oldest < this.#open.length && this.#open[this.#oldest]!.deadlineMs <= nowMs)
      this.#expire(this.#open[this.#oldest++]!, { ok: false, error: unavailable('no answer within the time limit') })
    this.#queue = this.#queue.filter(({ call }) => call.unanswered > 0)
    this.#tellIdle()
    const oldest = this.#open[this.#oldest]
    this.#timer = oldest && clock.setTimer(Math.max(1, oldest.deadlineMs - nowMs), () => this.#sweep())
  }

  /** Which of its items are answered is not kept: those that did well may be tried again, too. */
  #expire(call: Call<Item>, outcome: Outcome): void {
    if (call.unanswered === 0) return
    call.unanswered = 0
    call.resolve(outcomesOf(call).map((each) => (each.ok ? outcome : each)))
  }

  #tellIdle(): void {
    if (this.#queue.length > 0 || this.#underWay.length > 0) return
    for (const tell of this.#idle.splice(0)) tell()
  }
}

function outcomesOf<Item>(call: Call<Item>): Outcome[] {
  call.outcomes ??= new Array<Outcome>(call.items.length).fill(succeeded)
  return call.outcomes
}

/** One for all calls of one item, which are most. */
const oneWell: readonly Outcome[] = Object.freeze([succeeded])

function allWell(count: number): readonly Outcome[] {
  return count === 1 ? oneWell : new Array<Outcome>(count).fill(succeeded)
}
