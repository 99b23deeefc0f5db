import type { Clock, InboxEntry, InboxResult, InboxStore, MaybePromise } from '@posthaste/contracts'
import { systemClock } from '../../pipeline/clock.ts'
import { integerOption, type OptionSpec, readOptions } from '../../pipeline/options.ts'

/** How much an inbox in memory holds. */
export interface MemoryInboxOptions {
  /**
   * Most messages that it remembers, 1 to 10,000,000; beyond it the oldest is forgotten before its window ends.
   * Default: 100,000.
   */
  readonly entriesMax?: number | undefined
  /** Default: the machine's. */
  readonly clock?: Clock | undefined
}

const clockOption: OptionSpec<Clock> = {
  fallback: systemClock,
  expects: 'a clock',
  accepts: (value) => typeof value === 'object' && value !== null && 'nowMs' in value,
}

/**
 * An inbox for tests, and for processes that may forget what they have handled when they end: it does not survive the
 * process, has no transaction, and is shared by nobody else.
 *
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function memoryInbox(options: MemoryInboxOptions = {}): InboxStore {
  const spec = { options: { entriesMax: integerOption(100_000, { min: 1, max: 10_000_000 }), clock: clockOption } }
  return new MemoryInbox(readOptions('memoryInbox', options, spec))
}

class MemoryInbox implements InboxStore {
  readonly name = 'memory'
  readonly #entriesMax: number
  readonly #clock: Clock
  /** Until when each is remembered, the one that was handled first at the front. */
  readonly #handled = new Map<string, number>()
  /** What is being handled. */
  readonly #underWay = new Map<string, Promise<unknown>>()

  constructor({ entriesMax, clock }: { readonly entriesMax: number; readonly clock: Clock }) {
    this.#entriesMax = entriesMax
    this.#clock = clock
  }

  async once<T>(entry: InboxEntry, work: (transaction: unknown) => MaybePromise<T>): Promise<InboxResult<T>> {
    // Names of channels and groups have no spaces.
    const name = `${entry.channel} ${entry.group} ${entry.id}`
    for (let other = this.#underWay.get(name); other !== undefined; other = this.#underWay.get(name)) {
      await other.catch(() => {})
    }
    if (this.#isHandled(name)) return { done: false }
    const running = (async () => work(undefined))()
    this.#underWay.set(name, running)
    try {
      const result = await running
      this.#remember(name, this.#clock.nowMs() + entry.windowMs)
      return { done: true, result }
    } finally {
      this.#underWay.delete(name)
    }
  }

  #isHandled(name: string): boolean {
    const untilMs = this.#handled.get(name)
    return untilMs !== undefined && untilMs > this.#clock.nowMs()
  }

  #remember(name: string, untilMs: number): void {
    this.#handled.delete(name)
    this.#handled.set(name, untilMs)
    const nowMs = this.#clock.nowMs()
    for (const [oldest, endMs] of this.#handled) {
      if (endMs > nowMs && this.#handled.size <= this.#entriesMax) break
      this.#handled.delete(oldest)
    }
  }
}
