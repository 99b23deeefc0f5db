import { type Issue, routeOf, type ServedMethod } from '@posthaste/contracts'

/** What an application has been told so far. */
export interface Preflight {
  readonly hasEngine: boolean
  readonly hasTransports: boolean
  /** What was asked for that only an engine can do: `on(shop.order.created)`. */
  readonly needsEngine: readonly string[]
  readonly served: readonly ServedMethod[]
  /** Services called without a transport. */
  readonly calledLocally: ReadonlySet<string>
}

/** Mistakes that show only when everything is known, found before anything starts. */
export function preflightIssues(app: Preflight): readonly Issue[] {
  return [...engineIssues(app), ...clientIssues(app), ...(app.hasTransports ? routeIssues(app.served) : [])]
}

function engineIssues({ hasEngine, needsEngine }: Preflight): readonly Issue[] {
  return hasEngine
    ? []
    : needsEngine.map((path) => ({ path, message: 'needs an engine, and the application has none' }))
}

function clientIssues({ served, calledLocally }: Preflight): readonly Issue[] {
  const here = new Set(served.map(({ service }) => service))
  return [...calledLocally]
    .filter((service) => !here.has(service))
    .map((service) => ({
      path: `client(${service})`,
      message: 'is served by nobody here, and the client has no transport',
    }))
}

function routeIssues(served: readonly ServedMethod[]): readonly Issue[] {
  const owners = new Map<string, string>()
  return served.flatMap(({ service, method, contract }) => {
    const route = routeOf(contract)
    if (route === undefined) return []
    const owner = `${service}/${method}`
    // Parameters match whatever stands in their place, so their names make no difference.
    const shape = `${route.method} ${route.path.replace(/:\w+/g, ':')}`
    const other = owners.get(shape)
    if (other !== undefined)
      return [
        { path: `serve(${owner})`, message: `claims '${route.method} ${route.path}', which ${other} has already` },
      ]
    owners.set(shape, owner)
    return []
  })
}
