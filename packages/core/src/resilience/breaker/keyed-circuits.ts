import {
  Circuit,
  type CircuitCounts,
  type CircuitFrame,
  type CircuitSettings,
  type CircuitState,
  type ForcedState,
  type Outcome,
} from './circuit.ts'
import { Departures } from './departures.ts'
import { FreshKeys, type Successes, successesMax } from './fresh-keys.ts'
import { buckets } from './outcome-window.ts'

/** What is made once for all keys. */
export interface KeyedCircuitsSpec {
  readonly settings: CircuitSettings
  readonly keysMax: number
  readonly random: () => number
  moved(circuit: Circuit, from: CircuitState, counts: CircuitCounts): void
}

/** A call that was let through, by which its outcome finds back. */
export interface Admission {
  readonly key: string
  /** Of its key's circuit, or of those that have none. */
  readonly epoch: number
}

/**
 * A circuit for each key, as many as there may be. A key has none until it fails, is slow, or succeeds again and again:
 * before that {@link FreshKeys} count for it, and one that nobody knows is closed. A closed circuit with nothing in its window
 * says no more than none, and is forgotten once per window. Beyond the bound, closed ones go first, those not used since they
 * were last passed over (the clock algorithm); then the one that was opened longest ago; those held by force never.
 *
 * Outcomes find their circuit by key and epoch, so nothing need be kept for calls that are under way, and a circuit may be
 * forgotten meanwhile: one that never moved comes back as it was, and of one that did {@link Departures} know when it went.
 */
export class KeyedCircuits {
  readonly #frame: CircuitFrame
  readonly #keysMax: number
  /** A tenth of the window; 0 for a window of calls, which no time empties. */
  readonly #bucketMs: number
  readonly #closed = new Map<string, Seat>()
  readonly #troubled = new Map<string, Circuit>()
  readonly #forced = new Map<string, Circuit>()
  readonly #fresh: FreshKeys
  readonly #departures: Departures
  /** Where eviction goes on among the closed ones; one that stays in place passes deleted entries only once. */
  #hand: Iterator<Seat> | undefined = undefined
  #eldest: Iterator<Circuit> | undefined = undefined
  #sweepAtMs = Number.NEGATIVE_INFINITY
  #evicted = 0

  constructor({ settings, keysMax, random, moved }: KeyedCircuitsSpec) {
    this.#keysMax = keysMax
    this.#bucketMs = (settings.windowMs ?? 0) / buckets
    this.#fresh = new FreshKeys(keysMax)
    this.#departures = new Departures(keysMax)
    this.#frame = {
      settings,
      random,
      epochs: { last: 0 },
      moved: (circuit, from, counts) => {
        this.#place(circuit)
        moved(circuit, from, counts)
      },
    }
  }

  /** How many have a circuit. */
  get size(): number {
    return this.#closed.size + this.#troubled.size + this.#forced.size
  }

  /** How many have none, but successes in a window. */
  get fresh(): number {
    return this.#fresh.size
  }

  /** How many were forgotten for want of room. */
  get evicted(): number {
    return this.#evicted + this.#fresh.dropped
  }

  /** Those that are not closed or are held, the one that has been so longest first. */
  *notable(): Generator<Circuit> {
    yield* this.#forced.values()
    yield* this.#troubled.values()
  }

  get notableCount(): number {
    return this.#troubled.size + this.#forced.size
  }

  /** What calls of a key without a circuit are admitted under. */
  get strangersEpoch(): number {
    return this.#frame.epochs.last
  }

  /** The circuit of a key; undefined while it has none. Hot path: one look into a map where all is well. */
  find(key: string): Circuit | undefined {
    const seat = this.#closed.get(key)
    if (seat !== undefined) {
      seat.used = true
      return seat.circuit
    }
    if (this.#troubled.size === 0 && this.#forced.size === 0) return undefined
    return this.#troubled.get(key) ?? this.#forced.get(key)
  }

  /** Tells how an admitted call ended. */
  record({ key, epoch }: Admission, outcome: Outcome, nowMs: number): void {
    if (this.#bucketMs > 0 && nowMs >= this.#sweepAtMs) this.#sweep(nowMs)
    const circuit = this.find(key)
    if (circuit === undefined) {
      if (outcome !== 'neutral' && this.#isCertain(key, epoch)) this.#recordStranger(key, outcome, nowMs)
      return
    }
    const current = circuit.state.epoch
    // It came before the circuit, or to one like it that was forgotten: the key was closed, and has been so ever since.
    const belongs = epoch === current || (circuit.pristine && this.#isCertain(key, epoch))
    if (belongs) circuit.record(current, outcome, nowMs)
  }

  /** Holds the circuit of a key, or lets it go; makes it if there is none. Those that are held do not count for the bound. */
  force(key: string, to: ForcedState | undefined, nowMs: number): void {
    const known = this.find(key)
    if (to === known?.forced) return
    const circuit = known ?? this.#made(key, this.#successesOf(key, nowMs), nowMs)
    circuit.force(to, nowMs)
    this.#place(circuit)
    // One that is let go counts again.
    if (this.#closed.size + this.#troubled.size > this.#keysMax) this.#evict()
  }

  #isCertain(key: string, epoch: number): boolean {
    return epoch >= this.#departures.certainFrom(key)
  }

  #recordStranger(key: string, outcome: Outcome, nowMs: number): void {
    const bucket = this.#bucketOf(nowMs)
    const known = this.#successesOf(key, nowMs)
    const count = (known?.count ?? 0) + 1
    if (outcome === 'success' && count <= successesMax && (known === undefined || known.bucket === bucket)) {
      this.#fresh.put(key, { count, bucket })
    } else {
      if (this.#closed.size + this.#troubled.size >= this.#keysMax) this.#evict()
      const circuit = this.#made(key, known, nowMs)
      circuit.record(circuit.state.epoch, outcome, nowMs)
    }
  }

  /** Takes what is known of a key without a circuit, if it still says anything. */
  #successesOf(key: string, nowMs: number): Successes | undefined {
    const known = this.#fresh.take(key)
    return known !== undefined && since(known.bucket, this.#bucketOf(nowMs)) < buckets ? known : undefined
  }

  /** A circuit for a key that has none, with what is known of it. */
  #made(key: string, known: Successes | undefined, nowMs: number): Circuit {
    const circuit = new Circuit(key, this.#frame)
    this.#closed.set(key, { circuit, used: true })
    if (known !== undefined) circuit.inherit(known.count, this.#timeOf(known.bucket, nowMs))
    return circuit
  }

  /** Puts a circuit where it belongs by its state. */
  #place(circuit: Circuit): void {
    const key = circuit.name
    const held = circuit.forced !== undefined
    const troubled = !held && circuit.state.kind !== 'closed'
    if (!held) this.#forced.delete(key)
    if (!troubled) this.#troubled.delete(key)
    if (held || troubled) this.#closed.delete(key)
    if (held) this.#forced.set(key, circuit)
    else if (!troubled && !this.#closed.has(key)) this.#closed.set(key, { circuit, used: true })
    else if (troubled && !this.#troubled.has(key)) this.#troubled.set(key, circuit)
  }

  /** Makes room for one. */
  #evict(): void {
    this.#evicted++
    const closed = this.#leastUsed()
    if (closed !== undefined) {
      this.#forget(closed, this.#closed)
      return
    }
    this.#eldest ??= this.#troubled.values()
    let next = this.#eldest.next()
    if (next.done === true) {
      this.#eldest = this.#troubled.values()
      next = this.#eldest.next()
    }
    if (next.done !== true) this.#forget(next.value, this.#troubled)
  }

  /** Each is passed over once at most for each time it was used, so this ends within two rounds. */
  #leastUsed(): Circuit | undefined {
    while (this.#closed.size > 0) {
      this.#hand ??= this.#closed.values()
      const next = this.#hand.next()
      if (next.done === true) this.#hand = undefined
      else if (next.value.used) next.value.used = false
      else return next.value.circuit
    }
    return undefined
  }

  /** Forgets all that say nothing any more. Once per window, so that each call pays for its key a few times at most. */
  #sweep(nowMs: number): void {
    this.#sweepAtMs = nowMs + this.#bucketMs * buckets
    this.#fresh.turn()
    this.#departures.turn()
    for (const { circuit } of this.#closed.values()) if (circuit.idle(nowMs)) this.#forget(circuit, this.#closed)
  }

  #forget(circuit: Circuit, from: Map<string, unknown>): void {
    from.delete(circuit.name)
    if (circuit.pristine) return
    // What began in its last state still counts, if that was closed: so is a key without a circuit.
    const { state } = circuit
    this.#departures.note(circuit.name, state.kind === 'closed' ? state.epoch : ++this.#frame.epochs.last)
  }

  /** The bucket of a time, below 2^32 whatever the time is; all calls of a window of calls are in the same. */
  #bucketOf(nowMs: number): number {
    return this.#bucketMs === 0 ? 0 : Math.floor(nowMs / this.#bucketMs) % 2 ** 32
  }

  /** A time within a recent bucket, away from its ends, which do not divide well. */
  #timeOf(bucket: number, nowMs: number): number {
    const passed = since(bucket, this.#bucketOf(nowMs))
    return passed === 0 ? nowMs : (Math.floor(nowMs / this.#bucketMs) - passed + 0.5) * this.#bucketMs
  }
}

/** How many buckets later. */
function since(bucket: number, now: number): number {
  return (now - bucket) >>> 0
}

/** A closed circuit's place, and whether it was used since it was last passed over. */
interface Seat {
  readonly circuit: Circuit
  used: boolean
}
