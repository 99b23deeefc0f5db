/**
 * How calls pass through filters, for both halves of Posthaste: the call, its cancellation, the stack of filters, and the
 * clock, timers and ids they share.
 */

// For applications and authors of filters.
export type {
  Call,
  Filter,
  FilterDescription,
  FilterEvent,
  FilterSnapshot,
  MaybePromise,
  Service,
} from '@posthaste/contracts'
export { type CallInit, createCall } from './call.ts'
export { type CancelSource, cancelSource, neverCancelled } from './cancellation.ts'
export { compose } from './compose.ts'
export { type Continuation, continueWith } from './continuation.ts'
export { andThen, attempt, isPromiseLike } from './maybe-promise.ts'
export {
  buildStack,
  editStack,
  type FilterDeps,
  type FilterNews,
  type FilterStack,
  filterDeps,
  filterSlot,
  type StackEditor,
  type StackSlot,
  tell,
} from './stack.ts'
export { validateWith, validation } from './validation.ts'

// For authors of edges, engines and transports.
export { systemClock } from './clock.ts'
export { isoTime, messageIds, type RandomBytes } from './ids.ts'
export { silentLog } from './log.ts'
export {
  type Bounds,
  checkTogether,
  choiceOption,
  durationOption,
  flagOption,
  functionOption,
  integerOption,
  numberOption,
  type OptionSpec,
  type OptionsSpec,
  optional,
  readOptions,
  refuseOptions,
  required,
} from './options.ts'
export { sleep } from './sleep.ts'
export { type ReusableTimer, type TimerWheel, timerWheel } from './timer-wheel.ts'
