import type { ConformanceCase } from './case.ts'
import { attempts } from './cases/attempts.ts'
import { browsing } from './cases/browsing.ts'
import { browsingMatch } from './cases/browsing-match.ts'
import { cancelling } from './cases/cancel.ts'
import { credit } from './cases/credit.ts'
import { deduplication } from './cases/deduplication.ts'
import { delay } from './cases/delay.ts'
import { faults } from './cases/faults.ts'
import { fidelity } from './cases/fidelity.ts'
import { filters } from './cases/filters.ts'
import { groups } from './cases/groups.ts'
import { hold } from './cases/hold.ts'
import { holdChains } from './cases/hold-chains.ts'
import { interplay } from './cases/interplay.ts'
import { lag } from './cases/lag.ts'
import { lease } from './cases/lease.ts'
import { life } from './cases/life.ts'
import { load } from './cases/load.ts'
import { order } from './cases/order.ts'
import { patterns } from './cases/patterns.ts'
import { preparing } from './cases/preparing.ts'
import { preparingSurvival } from './cases/preparing-survival.ts'
import { priorities } from './cases/priorities.ts'
import { publishing } from './cases/publishing.ts'
import { random } from './cases/random.ts'
import { seeking } from './cases/seeking.ts'
import { settlement } from './cases/settlement.ts'
import { temporary } from './cases/temporary.ts'
import { topology } from './cases/topology.ts'
import { undeclared } from './cases/undeclared.ts'

/** Everything an engine must do, from the plain to the intricate. */
export function engineSuite(): readonly ConformanceCase[] {
  return [
    ...publishing,
    ...fidelity,
    ...topology,
    ...groups,
    ...credit,
    ...settlement,
    ...order,
    ...attempts,
    ...delay,
    ...cancelling,
    ...hold,
    ...holdChains,
    ...life,
    ...browsing,
    ...lag,
    ...filters,
    ...temporary,
    ...deduplication,
    ...priorities,
    ...patterns,
    ...seeking,
    ...preparing,
    ...preparingSurvival,
    ...browsingMatch,
    ...interplay,
    ...undeclared,
    ...lease,
    ...load,
    ...faults,
    ...random,
  ]
}
