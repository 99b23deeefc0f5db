import { type Issue, isStreaming, PosthasteError, routeOf, type ServedMethod } from '@posthaste/contracts'
import Router from 'find-my-way'
import type { PathParams } from './input.ts'

/** What stands behind a route. */
export type RouteTarget =
  | {
      readonly kind: 'method'
      readonly served: ServedMethod
      readonly status: number | undefined
      readonly takesBody: boolean
    }
  | { readonly kind: 'health' }

/** What a request line leads to. */
export type RouteMatch = { readonly found: true; readonly target: RouteTarget; readonly params: PathParams } | RouteMiss

/** Why a request line leads nowhere. */
export type RouteMiss =
  | { readonly found: false; readonly why: 'path' }
  | { readonly found: false; readonly why: 'encoding' }
  | { readonly found: false; readonly why: 'method'; readonly allowed: readonly string[] }

/** The routes of everything that is served. */
export interface Routes {
  readonly size: number
  /** @param path without the query string, percent-encoded as it came */
  match(method: string, path: string): RouteMatch
}

type Verb = 'GET' | 'HEAD' | 'POST' | 'PUT' | 'PATCH' | 'DELETE'

const verbs: readonly Verb[] = ['GET', 'HEAD', 'POST', 'PUT', 'PATCH', 'DELETE']
const bodyVerbs: ReadonlySet<string> = new Set(['POST', 'PUT', 'PATCH'])

/** One segment of a route: a `:name`, or characters that mean themselves in a path. */
const segmentPattern = /^(?::[A-Za-z_]\w*|[\w.~!$&'+,=@-]*)$/

/**
 * Builds the routing table. A `GET` route answers `HEAD` too, unless a method claims `HEAD` itself.
 * @throws CONFIG_INVALID listing every malformed route and every route that two methods claim; CAPABILITY_UNSUPPORTED
 *   for a method with a stream
 */
export function routesOf(methods: readonly ServedMethod[], healthPath: string | false): Routes {
  const table = new RouteTable()
  if (healthPath !== false) table.add({ verb: 'GET', path: healthPath, owner: 'the health check' }, { kind: 'health' })
  for (const served of methods) addMethod(table, served)
  return table.finish()
}

function addMethod(table: RouteTable, served: ServedMethod): void {
  const route = routeOf(served.contract)
  if (route === undefined) return
  const owner = `${served.service}/${served.method}`
  if (isStreaming(served.contract)) {
    throw new PosthasteError(
      'CAPABILITY_UNSUPPORTED',
      `'${owner}' has a stream, which the http transport does not carry`,
    )
  }
  const takesBody = bodyVerbs.has(route.method)
  table.add(
    { verb: route.method as Verb, path: route.path, owner },
    { kind: 'method', served, status: route.status, takesBody },
  )
}

interface Claim {
  readonly verb: Verb
  readonly path: string
  readonly owner: string
}

class RouteTable implements Routes {
  // Parameters are bounded by the request line's own limit, and never matched against a regular expression.
  readonly #router = Router({ maxParamLength: 1_048_576, querystringParser: () => undefined })
  readonly #owners = new Map<string, string>()
  readonly #gets: { readonly path: string; readonly shape: string; readonly target: RouteTarget }[] = []
  readonly #issues: Issue[] = []

  get size(): number {
    return this.#owners.size
  }

  add(claim: Claim, target: RouteTarget): void {
    const mistake = mistakeIn(claim.path)
    if (mistake !== undefined) {
      this.#refuse(claim, mistake)
      return
    }
    // `/a/:x` and `/a/:y` are the same route, whatever the parameters are called.
    const shape = claim.path.replace(/:\w+/g, ':')
    const key = `${claim.verb} ${shape}`
    const owner = this.#owners.get(key)
    if (owner !== undefined) {
      this.#refuse(claim, `is claimed by ${owner} already`)
      return
    }
    this.#owners.set(key, claim.owner)
    this.#on(claim.verb, claim.path, target)
    if (claim.verb === 'GET') this.#gets.push({ path: claim.path, shape, target })
  }

  finish(): Routes {
    if (this.#issues.length > 0) {
      const list = this.#issues.map((issue) => `${issue.path} ${issue.message}`).join('; ')
      throw new PosthasteError('CONFIG_INVALID', `http routes: ${list}`, { issues: this.#issues })
    }
    for (const { path, shape, target } of this.#gets) {
      if (!this.#owners.has(`HEAD ${shape}`)) this.#on('HEAD', path, target)
    }
    return this
  }

  match(method: string, path: string): RouteMatch {
    const match = this.#find(method, path)
    if (match !== undefined) return match
    if (path.includes('%') && !decodes(path)) return { found: false, why: 'encoding' }
    const allowed = verbs.filter((verb) => verb !== method && this.#find(verb, path) !== undefined)
    return allowed.length > 0 ? { found: false, why: 'method', allowed } : { found: false, why: 'path' }
  }

  /** An empty segment is no parameter: `/stock/` is not a product without a name. */
  #find(method: string, path: string): RouteMatch | undefined {
    const match = this.#router.find(method as Verb, path)
    if (match === null || Object.values(match.params).includes('')) return undefined
    return { found: true, target: match.store as RouteTarget, params: match.params }
  }

  #on(verb: Verb, path: string, target: RouteTarget): void {
    this.#router.on(verb, path, unused, target)
  }

  #refuse(claim: Claim, message: string): void {
    this.#issues.push({ path: `${claim.verb} ${claim.path}`, message: `(${claim.owner}) ${message}` })
  }
}

/** The router wants a handler; the target travels in its store. */
function unused(): void {}

function mistakeIn(path: string): string | undefined {
  const wrong = path
    .slice(1)
    .split('/')
    .find((segment) => !segmentPattern.test(segment) || segment === ':__proto__')
  return wrong === undefined ? undefined : `has a segment '${wrong}' that is neither plain text nor ':name'`
}

function decodes(path: string): boolean {
  try {
    decodeURIComponent(path)
    return true
  } catch {
    return false
  }
}
