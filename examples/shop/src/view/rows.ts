import type { AppSnapshot } from 'posthaste'

/** One filter's state, in words. */
export interface Cell {
  readonly role: string
  /** Changes now and then, and is worth telling of when it does. */
  readonly state: string
  /** Changes with every call. */
  readonly figures: string
}

/** What stands around one method or handler. */
export interface Row {
  /** `shop.Inventory/checkStock`, `shop.order.created@points` */
  readonly target: string
  readonly cells: readonly Cell[]
}

type Figures = Readonly<Record<string, unknown>>
type Wording = (figures: Figures) => Omit<Cell, 'role'> | undefined

/** How the filters that change are told of; the others are left out. */
const wordings: Readonly<Record<string, Wording>> = {
  breaker: ({ state, calls, failures, openings, rejected }) => ({
    state: String(state),
    figures: `${failures} of ${calls} failed, opened ${openings} ×, refused ${rejected}`,
  }),
  retry: ({ retried, recovered, budget }) =>
    // Without a budget it has no state; a consumer's attempts are bounded by its ladder.
    typeof budget === 'number'
      ? {
          state: budget < 1 ? 'budget spent' : 'budget left',
          figures: `${retried} repeated, ${recovered} saved, budget ${Math.floor(budget)}`,
        }
      : undefined,
  bulkhead: ({ running, waiting, refused }) => ({
    state: waiting === 0 ? 'open' : 'full',
    figures: `${running} under way, ${waiting} waiting, refused ${refused}`,
  }),
  concurrencyLimit: ({ limit, inFlight, refused }) => ({
    state: `at most ${limit}`,
    figures: `${inFlight} under way, refused ${refused}`,
  }),
  rateLimit: ({ allowed, refused, remaining }) => ({
    state: remaining === 0 ? 'spent' : 'open',
    figures: `${allowed} allowed, ${remaining} left, refused ${refused}`,
  }),
  fallback: ({ answeredByFunction }) => ({ state: 'ready', figures: `${answeredByFunction} answered` }),
}

/** What changes while an application is in trouble: breakers, budgets and limits. */
export function rowsOf({ methods, subscriptions }: AppSnapshot): Row[] {
  const clients = methods.filter(({ side }) => side === 'client')
  const rows = [
    ...clients.map(({ target, filters }) => ({ target, cells: cellsOf(filters) })),
    ...subscriptions.map(({ channel, group, filters }) => ({ target: `${channel}@${group}`, cells: cellsOf(filters) })),
  ]
  return rows.filter(({ cells }) => cells.length > 0)
}

/** The faults that were injected so far, in words; undefined where nobody injects any. */
export function faultsOf({ methods, subscriptions }: AppSnapshot): string | undefined {
  const all = [...methods, ...subscriptions].flatMap(({ filters }) => filters)
  const chaos = all.find(({ role }) => role === 'chaos')
  return chaos && `chaos: ${chaos.latencies} late, ${chaos.errors} refused, ${chaos.aborts} answers lost`
}

function cellsOf(filters: AppSnapshot['methods'][number]['filters']): Cell[] {
  return filters.flatMap(({ role, ...figures }) => {
    const told = wordings[role]?.(figures)
    return told === undefined ? [] : [{ role, ...told }]
  })
}
