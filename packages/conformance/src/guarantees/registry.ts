import { administrationGuarantees } from './administration.ts'
import { conversationGuarantees } from './conversation.ts'
import { failureGuarantees } from './failure.ts'
import { flowGuarantees } from './flow.ts'
import { groupGuarantees } from './groups.ts'
import type { Guarantee } from './guarantee.ts'
import { handlingGuarantees } from './handling.ts'
import { lifeGuarantees } from './life.ts'
import { orderGuarantees } from './order.ts'
import { publishingGuarantees } from './publishing.ts'
import { timeGuarantees } from './time.ts'

/**
 * The core handles no message on an engine that does not count attempts exactly: one that kills its process would kill it for
 * ever. What is about handling alone is refused there.
 */
function whereHandled(guarantee: Guarantee): Guarantee {
  const { cases, support, refusals } = guarantee
  if (!cases.every((name) => name.startsWith('bus-'))) return guarantee
  return {
    ...guarantee,
    support: (offer) => (offer.capabilities.attempts === 'exact' ? support(offer) : 'refused'),
    refusals: [...refusals, 'refused/attempts'],
  }
}

/** All guarantees, area by area. */
export const guarantees: readonly Guarantee[] = [
  ...publishingGuarantees,
  ...groupGuarantees,
  ...orderGuarantees,
  ...handlingGuarantees,
  ...failureGuarantees,
  ...timeGuarantees,
  ...conversationGuarantees,
  ...flowGuarantees,
  ...lifeGuarantees,
  ...administrationGuarantees,
].map(whereHandled)

/** Whether a case's id is one of those named; a `*` at the end of a name stands for anything. */
export function isNamed(id: string, names: readonly string[]): boolean {
  return names.some((name) => (name.endsWith('*') ? id.startsWith(name.slice(0, -1)) : id === name))
}
