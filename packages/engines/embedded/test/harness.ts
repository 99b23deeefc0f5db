import type { EngineHarness } from '@posthaste/conformance'
import { durableInstallation } from './installation.ts'

/** Time is a manual clock's; a crash leaves behind what a killed process would. */
export const harness: EngineHarness = { create: durableInstallation }
