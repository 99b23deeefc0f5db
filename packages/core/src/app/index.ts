/** What applications are written with. Begin with `posthaste()`. */

// Contracts.
export {
  type CommandContract,
  command,
  type DataIn,
  type DataOut,
  type ErrorCode,
  type EventContract,
  event,
  type HandlerInput,
  type HandlerOutput,
  type Issue,
  ignore,
  type MethodInput,
  type MethodOutput,
  PosthasteError,
  reject,
  retryLater,
  type ServiceContract,
  service,
  stream,
  type Verdict,
} from '@posthaste/contracts'
// Messages.
export type { MessageHandler, PublishResult } from '../bus/bus.ts'
export type { MessageContext, Receipt } from '../bus/context.ts'
export type { DeadLetterPage, DeadLetters, RedriveReport } from '../bus/dead-letters.ts'
export type { DeadLetter } from '../bus/dead-letter.ts'
export type { HandlerOptions, SubscribeOptions } from '../bus/options.ts'
export type { PublishAllOptions, PublishOptions, ScheduleOptions } from '../bus/publish-options.ts'
// Calls.
export type { CallOptions, Client, ClientOptions } from '../rpc/client.ts'
export type { ServeOptions, ServiceHandlers } from '../rpc/serve.ts'
// The application.
export type { App, AppDescription } from './app.ts'
export type { CallContext } from './call-context.ts'
export { type ConsoleLogOptions, consoleLog, type LogLevel } from './console-log.ts'
export type { EngineHealth, Health } from './health.ts'
export type { AppState } from './life-cycle.ts'
export type { AppOptions } from './options.ts'
export { posthaste } from './posthaste.ts'
