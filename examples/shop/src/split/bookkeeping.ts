import { existsSync } from 'node:fs'
import { join } from 'node:path'
import type { App, CommandContract } from 'posthaste'
import type { ShopGroup } from '../books/dead-letters.ts'
import type { ServiceHost } from '../host.ts'
import { type ListQuery, type RowKey, Store, type Table, type Tables } from '../store/store.ts'
import type { ServiceName } from './plan.ts'
import { putUp, workers } from './services.ts'

/**
 * The tables of all services, each in the store of its own that another process writes. The bookkeeper reads them, as an
 * auditor would, and writes none.
 */
export class EverybodysTables implements Tables {
  readonly #dir: string
  readonly #stores = new Map<string, Store>()

  constructor(dir: string) {
    this.#dir = dir
  }

  get<Row>(table: Table<Row>, ...key: RowKey): Row | undefined {
    return this.#storeOf(table)?.get(table, ...key)
  }

  list<Row>(table: Table<Row>, query?: ListQuery): Iterable<readonly [key: string[], row: Row]> {
    return this.#storeOf(table)?.list(table, query) ?? []
  }

  async close(): Promise<void> {
    await Promise.all([...this.#stores.values()].map((store) => store.close()))
  }

  /** Named as the tables are: `orders.outbox` is of the orders. One that has written nothing yet has no store. */
  #storeOf({ name }: { readonly name: string }): Store | undefined {
    const [service = ''] = name.split('.')
    const known = this.#stores.get(service)
    const path = stateOf(this.#dir, service as ServiceName)
    if (known !== undefined || !existsSync(path)) return known
    const store = new Store(path)
    this.#stores.set(service, store)
    return store
  }
}

/** Where a service keeps its state. */
export function stateOf(dir: string, service: ServiceName): string {
  return join(dir, service, 'state')
}

/** Every group of the shop, as the services themselves put them up. */
export function groupsOfAll(): readonly ShopGroup[] {
  const groups: ShopGroup[] = []
  const recorder: ServiceHost = {
    on: ((event: { readonly type: string }, { group }: { readonly group: string }) => {
      groups.push({ channel: event.type, group })
    }) as App['on'],
    handle: ({ type }: CommandContract) => void groups.push({ channel: type, group: 'handler' }),
    serve: (() => {}) as App['serve'],
    client: (() => ({})) as unknown as App['client'],
  }
  // Nothing is handled, so nothing is looked up in a store.
  const store = undefined as unknown as Store
  for (const name of workers) putUp(name, { host: recorder, store, unpaidMs: 0 })
  return groups
}
