/**
 * The executable contract of an engine. Bring a harness, run the suite, publish the report: what passes behaves like
 * every other engine that does.
 */

export type { ConformanceCase } from './case.ts'
export type { CaseContext } from './context.ts'
export type { SuiteSettings } from './settings.ts'
export {
  type EngineHarness,
  type EngineNetwork,
  type EngineUnderTest,
  engineUnderTest,
  type Installation,
} from './harness.ts'
export { isMet, type Need } from './needs.ts'
export { type CaseOutcome, runCase, runSuite, type SuiteOptions, type SuiteReport } from './run.ts'
export { engineSuite } from './suite.ts'
export { busSuite, refusalSuite } from './bus-suite.ts'
export {
  type CaseFailure,
  type ConformanceOptions,
  type ConformanceResult,
  type GuaranteeResult,
  isConformant,
  type EngineOffer,
  offerOf,
  runConformance,
  supportOf,
} from './conformance.ts'
export { type Area, areas, type Guarantee, type GuaranteeSupport, type Offer } from './guarantees/guarantee.ts'
export { guarantees } from './guarantees/registry.ts'
export type { MutantResult } from './hunt.ts'
export type { Figures } from './run.ts'
export { type NetworkedInstallation, networkedEngineUnderTest } from './faults/networked.ts'
export { type Seeded, seeded } from './faults/seeded.ts'
export { type ProxySide, type ProxyTarget, TcpProxy } from './faults/tcp-proxy.ts'
export {
  type RunningServer,
  type RunningServerOptions,
  requiredServer,
  runningServer,
  serverVariable,
} from './server/running-server.ts'
