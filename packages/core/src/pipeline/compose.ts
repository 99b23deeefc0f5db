import type { Filter, Service } from '@posthaste/contracts'

/**
 * Puts filters around a service, the first one outermost. Bound once, so that a call costs the filters and nothing else.
 * The result throws or rejects, returns or resolves, as the filters and the service do.
 */
export function compose<P, R>(filters: readonly Filter[], service: Service<P, R>): Service<P, R> {
  return filters.reduceRight<Service<P, R>>((next, filter) => (call) => filter.apply(call, next), service)
}
