import type { Cluster } from './cluster.ts'
import type { Declared } from './groups.ts'
import type { Names } from './names.ts'
import type { Router } from './routing.ts'

/** What looking into channels works with. */
export interface BrowsingPlace {
  readonly cluster: Cluster
  readonly names: Names
  readonly declared: Declared
  readonly router: Router
  readonly exclusively: <T>(name: string, work: () => Promise<T>) => Promise<T>
}
