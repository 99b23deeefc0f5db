import { linkClient } from '@posthaste/link'
import type { App, CallContext, ClientOptions, Methods, ServiceContract, ServiceHandlers } from 'posthaste'
import { BackOffice, Inventory, Orders } from '../contracts.ts'
import type { Plan } from './plan.ts'

/**
 * Serves the API of the shop and does nothing itself: every call goes on to the service that knows. One that restarts is
 * waited for, since whoever asks would only ask again; an order has a number that makes it repeatable, so all calls are.
 */
export function serveFront(app: App, { links }: Plan): void {
  forward(app, Orders, links.orders)
  forward(app, Inventory, links.inventory)
  forward(app, BackOffice, links.books)
}

function forward<const M extends Methods>(app: App, service: ServiceContract<M>, url: string): void {
  const options: ClientOptions<M> = { transport: linkClient(url), timeoutMs: 10_000 }
  const client = app.client(service, options) as Readonly<Record<string, Forwarded>>
  const handlers = Object.keys(service.methods).map((method) => {
    const handle = (input: unknown, within: CallContext): Promise<unknown> => client[method]!(input, { within })
    return [method, handle]
  })
  app.serve(service, Object.fromEntries(handlers) as ServiceHandlers<M, CallContext>)
}

type Forwarded = (input: unknown, options: { readonly within: CallContext }) => Promise<unknown>
