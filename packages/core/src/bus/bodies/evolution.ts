import { PosthasteError, type Upcasters } from '@posthaste/contracts'

/** Lifts data of another version of its schema to the reader's. */
export interface Evolution {
  /** The reader's own version. */
  readonly version: number
  /**
   * Applies the steps from `from` upwards that there are. What is of the reader's version, or of a newer one, stays.
   * @throws PAYLOAD_INVALID when a step throws
   */
  lift(data: unknown, from: number): unknown
}

/** The steps of one contract, in order. */
export function evolution(what: string, version = 1, upcasters: Upcasters = {}): Evolution {
  const steps = Object.entries(upcasters)
    .map(([from, lift]) => ({ from: Number(from), lift }))
    .sort((one, other) => one.from - other.from)

  return {
    version,
    lift(data, from) {
      let lifted = data
      for (const step of steps) {
        if (step.from < from) continue
        try {
          lifted = step.lift(lifted)
        } catch (cause) {
          const message = `${what}: the upcaster of version ${step.from} refused data of version ${from}`
          throw PosthasteError.from(cause, 'PAYLOAD_INVALID', message)
        }
      }
      return lifted
    },
  }
}

const versionPattern = /^[1-9]\d{0,6}$/

/**
 * The version that a message says its data is of; 1 where it says nothing.
 * @throws ENVELOPE_INVALID when it is no version
 */
export function dataVersionOf(text: string | undefined): number {
  if (text === undefined) return 1
  if (versionPattern.test(text)) return Number(text)
  throw new PosthasteError('ENVELOPE_INVALID', `dataversion '${text}' is no whole number from 1 to 9,999,999`)
}
