import { mock } from 'node:test'

/** The machine's timers and date, moved by hand: for libraries that are not given a clock. */
export interface MachineTime {
  advance(ms: number): Promise<void>
  nowMs(): number
  /** Gives the machine's time back. */
  release(): void
}

const startMs = 1_767_225_600_000
const stepsMax = 200

/** Takes the machine's time over; one at a time. */
export function takeTime(): MachineTime {
  mock.timers.enable({ apis: ['setTimeout', 'setInterval', 'Date'], now: startMs })
  return {
    async advance(ms) {
      await settled()
      // In steps, as what a timer brings about may set another one.
      const steps = Math.min(Math.max(Math.ceil(ms), 1), stepsMax)
      for (let step = 0; step < steps && ms > 0; step++) {
        mock.timers.tick(Math.floor(((step + 1) * ms) / steps) - Math.floor((step * ms) / steps))
        await settled()
      }
    },
    nowMs: () => Date.now(),
    release: () => mock.timers.reset(),
  }
}

/** Some turns of the event loop: promises may go on for as long as they can. */
async function settled(): Promise<void> {
  for (let turn = 0; turn < 3; turn++) await new Promise((resolve) => setImmediate(resolve))
}
