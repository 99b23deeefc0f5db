import { durationOption, integerOption, type OptionsSpec, readOptions } from '../../pipeline/options.ts'

/**
 * What happens to a message whose handler failed: some attempts at once, in process; then some after waits that the
 * engine keeps, so that they survive the process; then the dead letters.
 */
export interface RetryLadder {
  /** Attempts in process after the first of each delivery, some 10 ms apart, 0 to 20. Default: 2. */
  readonly immediate?: number | undefined
  /** Deliveries after the first, each after a wait, 0 to 1,000. Default: 5. */
  readonly delayed?: number | undefined
  /** Longest wait before the second delivery, in milliseconds; doubles with each delivery. Default: 500. */
  readonly baseMs?: number | undefined
  /** The longest wait never exceeds this, in milliseconds. Default: 600,000. */
  readonly maxMs?: number | undefined
}

/** A ladder with defaults filled in. */
export type Ladder = { readonly [K in keyof RetryLadder]-?: NonNullable<RetryLadder[K]> }

const ladderSpec: OptionsSpec<Ladder> = {
  options: {
    immediate: integerOption(2, { min: 0, max: 20 }),
    delayed: integerOption(5, { min: 0, max: 1_000 }),
    baseMs: durationOption(500, { min: 1 }),
    maxMs: durationOption(600_000, { min: 1 }),
  },
  together: ({ baseMs, maxMs }) =>
    baseMs <= maxMs ? [] : [{ path: 'retry.maxMs', message: `must not be below baseMs, ${baseMs}, but is ${maxMs}` }],
}

/** The ladder of what is never tried again. */
export const noLadder: Ladder = Object.freeze({ immediate: 0, delayed: 0, baseMs: 1, maxMs: 1 })

/**
 * A ladder with defaults filled in.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readLadder(path: string, given: unknown): Ladder {
  return readOptions(path, given, ladderSpec)
}

/** Deliveries that may end with the process, whatever the ladder says: a crash or two says nothing about the message. */
const crashesMax = 2

/**
 * Whether a delivery comes so late that all attempts it may have must have ended with the process that made them.
 * @param delayed those of the ladder that has most
 */
export function isExhaustedOnArrival(attempt: number, delayed: number): boolean {
  return attempt > Math.max(delayed, crashesMax) + 1
}
