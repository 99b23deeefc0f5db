import type { Clock, Log, Timer } from '@posthaste/contracts'
import { silentLog } from './log.ts'

/** Many timers on one timer of the clock. */
export interface TimerWheel {
  /**
   * Calls `fire` once, never before `delayMs` from now and at most 10 ms late on an idle machine. Due times decide the
   * order, then the order of setting. `Infinity` never fires. Setting and cancelling cost the same however many are set.
   */
  set(delayMs: number, fire: () => void): Timer
  /** A timer that is set again and again, for those who set one per call and cannot make one per call. Not set yet. */
  reusable(fire: () => void): ReusableTimer
  /** Cancels what is set; what is set later never fires. */
  close(): void
}

/** A timer of one owner: set for one time at most, and free to be set again once it has fired or was cancelled. */
export interface ReusableTimer extends Timer {
  /**
   * Sets the timer for a time, in place of the one that it is set for; fires as {@link TimerWheel.set} does. Both times on
   * the monotonic clock; `nowMs` as it was read just now, which is not done again.
   */
  setFor(dueAtMs: number, nowMs: number): void
}

/**
 * A wheel on the given clock. Timeouts are set by every call and hardly ever fire, so coarseness is traded for cost.
 * What a callback throws is logged and harms no other timer.
 *
 * @see Varghese and Lauck, "Hashed and Hierarchical Timing Wheels" (1987), scheme 7
 */
export function timerWheel(clock: Clock, log: Log = silentLog): TimerWheel {
  return new Wheel(clock, log)
}

const tickMs = 10
const slotBits = 6
const slots = 2 ** slotBits
const levels = 4
/** Ticks that the levels cover: 46 hours. What is due later waits in an unordered list beyond them. */
const span = slots ** levels

const never: Timer = Object.freeze({ cancel() {} })

/** A timer, and its place in the doubly linked list of its slot: cancelling is unlinking. */
class Entry implements ReusableTimer {
  readonly #wheel: Wheel
  readonly fire: () => void
  /** Whether it is to fire: in a slot, or taken out of it and about to. */
  set = false
  dueAtMs = 0
  dueTick = 0
  order = 0
  slot: Slot | undefined = undefined
  previous: Entry | undefined = undefined
  next: Entry | undefined = undefined

  constructor(wheel: Wheel, fire: () => void) {
    this.#wheel = wheel
    this.fire = fire
  }

  setFor(dueAtMs: number, nowMs: number): void {
    this.cancel()
    this.#wheel.start(this, dueAtMs, nowMs)
  }

  cancel(): void {
    if (this.set) this.#wheel.forget(this)
  }
}

class Slot {
  first: Entry | undefined = undefined

  add(entry: Entry): void {
    entry.slot = this
    entry.previous = undefined
    entry.next = this.first
    if (this.first !== undefined) this.first.previous = entry
    this.first = entry
  }

  remove(entry: Entry): void {
    if (entry.previous === undefined) this.first = entry.next
    else entry.previous.next = entry.next
    if (entry.next !== undefined) entry.next.previous = entry.previous
    entry.slot = undefined
    entry.previous = undefined
    entry.next = undefined
  }

  takeAll(): Entry[] {
    const taken: Entry[] = []
    for (let entry = this.first; entry !== undefined; entry = this.first) {
      this.remove(entry)
      taken.push(entry)
    }
    return taken
  }
}

/**
 * Level L has 64 slots of 64^L ticks. An entry stands at the level of the highest base-64 digit in which its tick differs
 * from the current one, in the slot of that digit; when the current tick reaches the slot's first tick, its entries move
 * to lower levels. So every slot in use begins after the current tick, and the earliest one is when to wake.
 */
class Wheel implements TimerWheel {
  readonly #clock: Clock
  readonly #log: Log
  readonly #levels = Array.from({ length: levels }, () => Array.from({ length: slots }, () => new Slot()))
  readonly #beyond = new Slot()
  #tick = 0
  #count = 0
  #orders = 0
  /** When the clock's timer wakes the wheel: `Infinity` while none is set, `-Infinity` while the wheel is turning. */
  #wakeTick = Number.POSITIVE_INFINITY
  #wakeTimer: Timer = never
  readonly #wake = (): void => this.#turn()
  #closed = false

  constructor(clock: Clock, log: Log) {
    this.#clock = clock
    this.#log = log
  }

  set(delayMs: number, fire: () => void): Timer {
    if (this.#closed || delayMs === Number.POSITIVE_INFINITY) return never
    const nowMs = this.#clock.monotonicMs()
    const entry = new Entry(this, fire)
    this.start(entry, nowMs + (delayMs > 0 ? delayMs : 0), nowMs)
    return entry
  }

  reusable(fire: () => void): ReusableTimer {
    return new Entry(this, fire)
  }

  start(entry: Entry, dueAtMs: number, nowMs: number): void {
    if (this.#closed || dueAtMs === Number.POSITIVE_INFINITY) return
    const nowTick = Math.floor(nowMs / tickMs)
    // Up to the next wake there is nothing to pass over, so the current tick may follow the clock freely.
    if (nowTick < this.#wakeTick && nowTick > this.#tick) this.#tick = nowTick
    const dueTick = Math.ceil(dueAtMs / tickMs)
    entry.set = true
    entry.dueAtMs = dueAtMs
    entry.dueTick = dueTick > this.#tick ? dueTick : this.#tick + 1
    entry.order = this.#orders++
    this.#count++
    const firstTick = this.#place(entry)
    if (firstTick < this.#wakeTick) this.#arm(firstTick)
  }

  close(): void {
    this.#closed = true
    this.#wakeTimer.cancel()
    for (const slot of [...this.#levels.flat(), this.#beyond]) {
      for (const entry of slot.takeAll()) entry.cancel()
    }
  }

  /** An entry was cancelled. The clock's timer stays: waking once for nothing is cheaper than setting it anew. */
  forget(entry: Entry): void {
    entry.set = false
    entry.slot?.remove(entry)
    this.#count--
  }

  /** Puts an entry where it belongs as seen from the current tick; returns the first tick of that place. */
  #place(entry: Entry): number {
    // Bitwise operators see the lower 32 bits, which is enough: within the span higher bits differ only across a boundary.
    const differing = (entry.dueTick ^ this.#tick) >>> 0
    if (entry.dueTick - this.#tick >= span || differing >= span) {
      this.#beyond.add(entry)
      return this.#spanEnd()
    }
    const level = differing < slots ? 0 : Math.floor((31 - Math.clz32(differing)) / slotBits)
    const shift = level * slotBits
    this.#levels[level]![(entry.dueTick >>> shift) & (slots - 1)]!.add(entry)
    return entry.dueTick - (entry.dueTick & ((1 << shift) - 1))
  }

  #spanEnd(): number {
    return (Math.floor(this.#tick / span) + 1) * span
  }

  #arm(tick: number): void {
    this.#wakeTimer.cancel()
    this.#wakeTick = tick
    const delayMs = tick * tickMs - this.#clock.monotonicMs()
    this.#wakeTimer = this.#clock.setTimer(Math.max(delayMs, 0), this.#wake)
  }

  #turn(): void {
    this.#wakeTick = Number.NEGATIVE_INFINITY
    const nowTick = Math.floor(this.#clock.monotonicMs() / tickMs)
    for (let tick = this.#nextTick(); tick <= nowTick; tick = this.#nextTick()) {
      this.#tick = tick
      this.#reach(tick)
    }
    this.#tick = Math.max(this.#tick, nowTick)
    this.#wakeTick = Number.POSITIVE_INFINITY
    const tick = this.#nextTick()
    if (tick < this.#wakeTick) this.#arm(tick)
  }

  /** First tick of the earliest slot in use. Read once per wake, so a scan of at most 256 slots is cheap enough. */
  #nextTick(): number {
    if (this.#count === 0) return Number.POSITIVE_INFINITY
    for (let level = 0; level < levels; level++) {
      const width = slots ** level
      const current = Math.floor(this.#tick / width)
      for (let digit = (current % slots) + 1; digit < slots; digit++) {
        if (this.#levels[level]![digit]!.first !== undefined) return (current - (current % slots) + digit) * width
      }
    }
    return this.#beyond.first === undefined ? Number.POSITIVE_INFINITY : this.#spanEnd()
  }

  /** The current tick has become `tick`: moves the entries of slots that begin here down, then fires what is due. */
  #reach(tick: number): void {
    if (tick % span === 0) for (const entry of this.#beyond.takeAll()) this.#place(entry)
    for (let level = levels - 1; level > 0; level--) {
      const width = slots ** level
      if (tick % width !== 0) continue
      for (const entry of this.#levels[level]![(tick / width) % slots]!.takeAll()) this.#place(entry)
    }
    const due = this.#levels[0]![tick % slots]!.takeAll()
    due.sort((a, b) => a.dueAtMs - b.dueAtMs || a.order - b.order)
    for (const entry of due) this.#run(entry)
  }

  #run(entry: Entry): void {
    // An earlier callback of the same tick has cancelled it, or set it for another time, or closed the wheel.
    if (!entry.set || entry.slot !== undefined || this.#closed) return
    entry.set = false
    this.#count--
    try {
      entry.fire()
    } catch (error) {
      this.#tell(error)
    }
  }

  /** A log that throws must not stop the wheel: nothing would ever fire again. */
  #tell(error: unknown): void {
    try {
      this.#log.error('a timer callback threw', { error })
    } catch {
      // There is nobody left to tell.
    }
  }
}
