import type { Methods, ServiceContract } from '@posthaste/contracts'
import { isStreaming, PosthasteError } from '@posthaste/contracts'

/** What a method is called in calls, logs and errors: `shop.Inventory/checkStock`. */
export function targetOf(service: string, method: string): string {
  return `${service}/${method}`
}

/**
 * Refuses services with streaming methods: contracts can say them, nothing here carries them.
 * @throws CAPABILITY_UNSUPPORTED naming every such method
 */
export function refuseStreams(service: ServiceContract<Methods>): void {
  const streaming = Object.keys(service.methods).filter((name) => isStreaming(service.methods[name]!))
  if (streaming.length === 0) return
  const issues = streaming.map((name) => ({ path: name, message: 'has a stream' }))
  throw new PosthasteError(
    'CAPABILITY_UNSUPPORTED',
    `'${service.name}' has streaming methods, which nothing carries: ${streaming.join(', ')}`,
    {
      remedy: 'Move the streaming methods to a service of their own and leave it out.',
      issues,
    },
  )
}
