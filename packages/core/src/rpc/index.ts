/** Calls: serving the methods of services, and making clients of them, over any transport or within the process. */

// For applications.
export type { Client, ClientMethod } from './client.ts'
export type { CallOptions, StreamCallOptions } from './call-options.ts'
export type { ClientOptions } from './client-options.ts'
export type { Fallbacks, MethodFallback } from './fallbacks.ts'
// For whoever edits the stacks.
export { type ClientStackOptions, clientStack, clientStackOf } from './client-stack.ts'
export type { ServeContext } from './context.ts'
export { createRpc, type MethodDescription, type MethodSnapshot, type Rpc, type RpcHost } from './rpc.ts'
export type { CallScope } from './scope.ts'
export type { ServeOptions, ServiceHandlers } from './serve.ts'
export { type ServerStackOptions, serverStack } from './server-stack.ts'
