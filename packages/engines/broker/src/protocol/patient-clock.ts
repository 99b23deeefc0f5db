import type { Clock } from '@posthaste/contracts'

/**
 * A clock whose timers fire when what has come meanwhile is read. A process that stood still finds its timers due before it
 * looks at its sockets: with thousands of connections it would give up all of them, though each has answered long ago, and their
 * coming back would have it stand still again.
 */
export function patient(clock: Clock): Clock {
  return {
    nowMs: () => clock.nowMs(),
    monotonicMs: () => clock.monotonicMs(),
    setTimer(delayMs, fire) {
      let soon: NodeJS.Immediate | undefined
      const timer = clock.setTimer(delayMs, () => {
        soon = setImmediate(fire)
      })
      return {
        cancel() {
          timer.cancel()
          clearImmediate(soon)
        },
      }
    },
  }
}
