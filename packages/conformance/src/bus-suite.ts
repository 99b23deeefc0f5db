import { busAdministering } from './bus-cases/administering.ts'
import { busBatches } from './bus-cases/batches.ts'
import { busBodies } from './bus-cases/bodies.ts'
import { busClosing } from './bus-cases/closing.ts'
import { busDeadLetters } from './bus-cases/dead-letters.ts'
import { busDeadlines } from './bus-cases/deadlines.ts'
import { busEffects } from './bus-cases/effects.ts'
import { busFiltering } from './bus-cases/filtering.ts'
import { busFlow } from './bus-cases/flow.ts'
import { busFollowing } from './bus-cases/following.ts'
import { busLeases } from './bus-cases/leases.ts'
import { busLevels } from './bus-cases/levels.ts'
import { busOrdering } from './bus-cases/ordering.ts'
import { busPreparing } from './bus-cases/preparing.ts'
import { busPublishing } from './bus-cases/publishing.ts'
import { busRecognising } from './bus-cases/recognising.ts'
import { busRecurring } from './bus-cases/recurring.ts'
import { refusals } from './bus-cases/refusals.ts'
import { busRequests } from './bus-cases/requests.ts'
import { busRetrying } from './bus-cases/retrying.ts'
import { busRules } from './bus-cases/rules.ts'
import { busSharing } from './bus-cases/sharing.ts'
import { busTiming } from './bus-cases/timing.ts'
import type { ConformanceCase } from './case.ts'

/**
 * What an application is promised on any engine: the framework's own guarantees, over the engine under test. All of it needs
 * exact attempts: without them the core handles nothing.
 */
export function busSuite(): readonly ConformanceCase[] {
  return cases.map((testCase) => ({ ...testCase, needs: [...(testCase.needs ?? []), 'attempts'] }))
}

const cases: readonly ConformanceCase[] = [
  ...busPublishing,
  ...busSharing,
  ...busOrdering,
  ...busRetrying,
  ...busDeadLetters,
  ...busEffects,
  ...busDeadlines,
  ...busFlow,
  ...busLeases,
  ...busClosing,
  ...busTiming,
  ...busRecognising,
  ...busFollowing,
  ...busAdministering,
  ...busPreparing,
  ...busFiltering,
  ...busRules,
  ...busRequests,
  ...busRecurring,
  ...busLevels,
  ...busBodies,
  ...busBatches,
]

/** What is refused where an engine does not declare what it would take. */
export function refusalSuite(): readonly ConformanceCase[] {
  return refusals
}
