import { linkClient } from '@posthaste/link'
import type { App, CallContext, ClientOptions, Methods, ServiceContract, ServiceHandlers } from 'posthaste'
import { BackOffice, Inventory, Orders } from '../contracts.ts'
import type { Plan } from './plan.ts'

/** A service that is started again is back within seconds. */
const patience = { attempts: 5, baseMs: 200, maxMs: 2_000 } as const

/**
 * Serves the API of the shop and does nothing itself: every call goes on to the service that knows. One that cannot be
 * reached is asked again, as long as it is certain that it has not heard; whoever wants more has to ask again, which an
 * order's number makes harmless.
 */
export function serveFront(app: App, { links }: Plan): void {
  forward(app, Orders, links.orders)
  forward(app, Inventory, links.inventory)
  forward(app, BackOffice, links.books)
}

function forward<const M extends Methods>(app: App, service: ServiceContract<M>, url: string): void {
  const options: ClientOptions<M> = { transport: linkClient(url), timeoutMs: 10_000, retry: patience }
  const client = app.client(service, options) as Readonly<Record<string, Forwarded>>
  const handlers = Object.keys(service.methods).map((method) => {
    const handle = (input: unknown, within: CallContext): Promise<unknown> => client[method]!(input, { within })
    return [method, handle]
  })
  app.serve(service, Object.fromEntries(handlers) as ServiceHandlers<M, CallContext>)
}

type Forwarded = (input: unknown, options: { readonly within: CallContext }) => Promise<unknown>
