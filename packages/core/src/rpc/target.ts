import {
  type ClientTransport,
  isStreaming,
  type Methods,
  PosthasteError,
  type ServiceContract,
} from '@posthaste/contracts'

/** What a method is called in calls, logs and errors: `shop.Inventory/checkStock`. */
export function targetOf(service: string, method: string): string {
  return `${service}/${method}`
}

/**
 * Refuses a service with methods that a transport cannot carry, before anything is called.
 * @throws CAPABILITY_UNSUPPORTED naming every such method
 */
export function refuseUncarried(service: ServiceContract<Methods>, transport: ClientTransport): void {
  if (transport.streams === true) return
  const streaming = Object.keys(service.methods).filter((name) => isStreaming(service.methods[name]!))
  if (streaming.length === 0) return
  const issues = streaming.map((name) => ({ path: name, message: 'has a stream' }))
  throw new PosthasteError(
    'CAPABILITY_UNSUPPORTED',
    `'${service.name}' has methods with streams, which ${transport.name} does not carry: ${streaming.join(', ')}`,
    {
      remedy: 'Take a transport that carries streams, or move these methods to a service of their own.',
      issues,
    },
  )
}
