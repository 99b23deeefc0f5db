import type { Engine, EngineCapabilities } from '@posthaste/contracts'

/** What an engine offers, as far as it is decided by that which guarantees it can keep. */
export type Offer = Pick<
  Engine,
  'capabilities' | 'scheduling' | 'browsing' | 'lag' | 'seeking' | 'preparing' | 'patterns'
>

/**
 * How a guarantee is kept on an engine. `native`: by what the engine declares, or by the core alone. `emulated`: the core
 * stands in for what the engine lacks. `refused`: asking for it fails with `CAPABILITY_UNSUPPORTED` before anything starts.
 */
export type GuaranteeSupport = 'native' | 'emulated' | 'refused'

/** Parts of the whole, in the order of the documentation. */
export const areas = [
  'Publishing',
  'Groups',
  'Order',
  'Handling',
  'Failure',
  'Time',
  'Conversation',
  'Flow',
  'Life cycle',
  'Administration',
] as const

/** A part of the whole. */
export type Area = (typeof areas)[number]

/** One thing that is promised on every engine that does not refuse it, and the cases that hold it to its word. */
export interface Guarantee {
  /** Stable over versions: a number is never given to another guarantee. */
  readonly id: `G${number}`
  readonly title: string
  readonly area: Area
  /** What is promised, under which faults, and what is not. */
  readonly promise: string
  /** How the engine has it. */
  support(offer: Offer): GuaranteeSupport
  /** Ids of the cases that run where it is supported; a `*` at the end stands for all that begin so. */
  readonly cases: readonly string[]
  /** Ids of the cases that run where it is refused; empty where it never is. */
  readonly refusals: readonly string[]
}

/** On every engine. */
export const always = (): GuaranteeSupport => 'native'

/** Native where the engine's capabilities say so, refused elsewhere. */
export const nativeIf =
  (has: (can: EngineCapabilities, offer: Offer) => boolean) =>
  (offer: Offer): GuaranteeSupport =>
    has(offer.capabilities, offer) ? 'native' : 'refused'

/** Native where the engine's capabilities say so, done by the core elsewhere. */
export const elseEmulated =
  (has: (can: EngineCapabilities, offer: Offer) => boolean) =>
  (offer: Offer): GuaranteeSupport =>
    has(offer.capabilities, offer) ? 'native' : 'emulated'
