import type { Call } from '@posthaste/contracts'
import { durationOption, functionOption, integerOption, type OptionsSpec, required } from '../../pipeline/options.ts'
import { Lru } from '../cache/lru.ts'
import { isQuestion, isStream, questionKey } from '../cache/question.ts'

/** Which answers are kept for later, and for how long they may be given. */
export interface LastGoodOptions {
  /** An older answer is not given any more, in milliseconds from when it came, from 1. */
  readonly maxAgeMs: number
  /** How many answers are kept at most, 1 to 1,000,000; the one used longest ago goes first. Default: 1,000. */
  readonly keysMax?: number | undefined
  /**
   * Which calls have the same answer; undefined keeps none. Default: target, header `authorization` and payload, where the
   * payload is plain data of at most 4,096 characters.
   */
  readonly key?: ((call: Call) => string | undefined) | undefined
}

interface Settings {
  readonly maxAgeMs: number
  readonly keysMax: number
  readonly key: (call: Call) => string | undefined
}

/** What the options of {@link LastGood} may be. */
export const lastGoodSpec: OptionsSpec<Settings> = {
  options: {
    maxAgeMs: required(durationOption(0, { min: 1 })),
    keysMax: integerOption(1_000, { min: 1, max: 1_000_000 }),
    key: functionOption<Settings['key']>(questionKey),
  },
}

/** An answer that came at its time. */
export interface Kept {
  readonly value: unknown
  readonly cameAtMs: number
}

/** The last answer of each key. Calls that are not idempotent have none: the answer of another would be a lie. */
export class LastGood {
  readonly #settings: Settings
  readonly #answers: Lru<Kept>

  constructor(settings: Settings) {
    this.#settings = settings
    this.#answers = new Lru(settings.keysMax)
  }

  get size(): number {
    return this.#answers.size
  }

  keep(call: Call, value: unknown, nowMs: number): void {
    const key = this.#keyOf(call)
    if (key !== undefined && !isStream(value)) this.#answers.set(key, { value, cameAtMs: nowMs })
  }

  /** The last answer, if it is not too old. */
  of(call: Call, nowMs: number): Kept | undefined {
    const key = this.#keyOf(call)
    const kept = key === undefined ? undefined : this.#answers.get(key)
    return kept !== undefined && nowMs - kept.cameAtMs <= this.#settings.maxAgeMs ? kept : undefined
  }

  #keyOf(call: Call): string | undefined {
    return isQuestion(call) ? this.#settings.key(call) : undefined
  }
}
