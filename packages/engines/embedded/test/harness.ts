import { type EngineHarness, engineUnderTest } from '@posthaste/conformance'
import { systemClock } from 'posthaste/pipeline'
import { embedded } from '../src/embedded.ts'
import { Directories, durableInstallation } from './installation.ts'

/** Time is a manual clock's, or the machine's; a crash leaves behind what a killed process would. */
export const harness: EngineHarness = {
  create: durableInstallation,
  createOnMachineTime() {
    const directories = new Directories()
    const dir = directories.fresh()
    return engineUnderTest({
      connect: () => embedded({ dir }),
      clock: systemClock,
      cleanup: async () => directories.remove(),
    })
  },
}
