import type { Call, Filter, FilterDescription, FilterSnapshot, MaybePromise, Service } from '@posthaste/contracts'
import {
  durationOption,
  functionOption,
  integerOption,
  type OptionsSpec,
  readOptions,
  required,
} from '../../pipeline/options.ts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import { fullRecheckMs, Slots } from '../bulkhead/slots.ts'
import { urgencyOf } from './urgency.ts'
import { UrgentFirst, type UrgentFirstSettings } from './urgent-first.ts'

/** How many calls a server works on at a time, and which of the others it does not even begin. */
export interface SheddingOptions {
  /** Calls at a time, 1 to 1,000,000. */
  readonly concurrency: number
  /** Calls that may wait, 0 to 1,000,000. Default: 100. */
  readonly queue?: number | undefined
  /** How long a call waits at most, in milliseconds, from 1; less if its own deadline is earlier. Default: 1,000. */
  readonly queueTimeoutMs?: number | undefined
  /** How long calls may wait while the queue stands, in milliseconds, 1 to 60,000. Default: 5. */
  readonly targetMs?: number | undefined
  /**
   * A queue stands when it has not been empty for this long, in milliseconds, 1 to 60,000. Longer than calls usually take,
   * so that one that waits for another to end is not taken for overload. Default: 100.
   */
  readonly intervalMs?: number | undefined
  /** How urgent a call is, from 0, the most urgent, to 7. Default: its header `priority` as in RFC 9218; 3 without one. */
  readonly urgency?: ((call: Call) => number) | undefined
}

interface Settings extends UrgentFirstSettings {
  readonly concurrency: number
}

const spec: OptionsSpec<Settings> = {
  options: {
    concurrency: required(integerOption(1, { min: 1, max: 1_000_000 })),
    queue: integerOption(100, { min: 0, max: 1_000_000 }),
    queueTimeoutMs: durationOption(1_000, { min: 1 }),
    targetMs: durationOption(5, { min: 1, max: 60_000 }),
    intervalMs: durationOption(100, { min: 1, max: 60_000 }),
    urgency: functionOption<(call: Call) => number>(urgencyOf),
  },
  together: ({ targetMs, intervalMs }) =>
    targetMs <= intervalMs
      ? []
      : [{ path: 'shedding.intervalMs', message: `must not be below targetMs, ${targetMs}, but is ${intervalMs}` }],
}

/**
 * Keeps a server well that is asked for more than it can do: works on so many calls at a time, the most urgent first, and
 * refuses others before any work is lost on them, with OVERLOADED, `notSent` and `retryAfterMs`: by priority, when the queue
 * is full; by age, when it stands. A call whose own deadline passes while it waits fails with DEADLINE_EXCEEDED and
 * `notSent`, and one that is cancelled leaves at once. A slot is held until the work has ended, a stream's with its head,
 * or around methods of services with its end.
 *
 * Tells `shed` (`by`: `priority`, `age` or `full`; `urgency`, `waitedMs`).
 *
 * @throws CONFIG_INVALID when options are wrong
 * @see {@link UrgentFirst} for the queue
 */
export function shedding(options: SheddingOptions, deps: FilterDeps): Filter {
  return new Shedding(readOptions('shedding', options, spec), deps)
}

class Shedding implements Filter {
  readonly role = 'shedding'
  readonly #settings: Settings
  readonly #queue: UrgentFirst
  readonly #slots: Slots

  constructor(settings: Settings, deps: FilterDeps) {
    this.#settings = settings
    this.#queue = new UrgentFirst(settings, deps)
    this.#slots = new Slots(settings.concurrency, this.#queue, deps)
  }

  /** Hot path: how urgent a call is, is asked only where no slot is free. */
  apply<P, R>(call: Call<P>, next: Service<P, R>): MaybePromise<R> {
    return this.#slots.admit(call, next)
  }

  notReadyForMs(): number {
    return this.#slots.full ? fullRecheckMs : 0
  }

  onceReady(wake: () => void): () => void {
    return this.#slots.onceFree(wake)
  }

  describe(): FilterDescription {
    const { urgency: _, ...settings } = this.#settings
    return { role: this.role, ...settings }
  }

  snapshot(): FilterSnapshot {
    const { running, peak } = this.#slots
    return { role: this.role, running, peak, ...this.#queue.figures() }
  }
}
