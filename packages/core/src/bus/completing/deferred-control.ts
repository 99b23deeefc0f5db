import { type EngineSubscription, type KeyRangeControl, PosthasteError } from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'

/** What a member may do with its key ranges, also before the engine has handed out its subscription. */
export function deferredControl(joined: Promise<EngineSubscription>, { log, target }: FilterDeps): KeyRangeControl {
  const control = joined.then(({ ranges }) => {
    if (ranges !== undefined) return ranges
    throw new PosthasteError('INTERNAL', 'an engine with key ranges does not let them be controlled')
  })
  const report = (error: unknown): void => log.warn('the engine did not pause a key range', { target, error })
  // Whoever uses it hears of it.
  control.catch(() => {})
  return {
    pause: (range) => void control.then((ranges) => ranges.pause(range)).catch(report),
    resume: (range) => void control.then((ranges) => ranges.resume(range)).catch(report),
    note: async (range, changes, publish) => (await control).note(range, changes, publish),
    giveUp: async (range) => (await control).giveUp(range),
  }
}
