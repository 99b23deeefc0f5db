import {
  type Browsing,
  type Engine,
  type LagReading,
  type Listing,
  PosthasteError,
  type Seeking,
} from '@posthaste/contracts'
import { listingOf } from './listing.ts'

/** What engines can do beyond carrying messages, and how a user says it. */
interface Abilities {
  readonly browsing: Browsing
  readonly lag: LagReading
  readonly listing: Listing
  readonly seeking: Seeking
}

const inWords: Readonly<Record<keyof Abilities, string>> = {
  browsing: 'look into channels',
  lag: 'tell how far groups are behind',
  listing: 'tell which channels and groups there are',
  seeking: 'move groups',
}

/**
 * Something that not every engine can.
 * @throws CAPABILITY_UNSUPPORTED where this one cannot
 */
export function abilityOf<K extends keyof Abilities>(engine: Engine, name: K, remedy?: string): Abilities[K] {
  const found = name === 'listing' ? listingOf(engine) : engine[name]
  const ability = found as Abilities[K] | undefined
  if (ability !== undefined) return ability
  throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${engine.name} cannot ${inWords[name]}`, { remedy })
}
