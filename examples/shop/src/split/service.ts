import process from 'node:process'
import { broker } from '@posthaste/broker'
import { http } from '@posthaste/http'
import { link } from '@posthaste/link'
import { type App, consoleLog, posthaste, type ServerTransport } from 'posthaste'
import { backOfficeService } from '../books/books.ts'
import { serviceHost } from '../host.ts'
import { openShelves } from '../inventory/inventory.ts'
import { Outbox } from '../orders/outbox.ts'
import { serveOrders } from '../orders/service.ts'
import { Store } from '../store/store.ts'
import { EverybodysTables, groupsOfAll, stateOf } from './bookkeeping.ts'
import { serveFront } from './front.ts'
import { type Plan, planVariable, type ServiceName } from './plan.ts'
import { askOverLink, putUp, type Worker } from './services.ts'

/** The program of one service: `service.ts <name>`, with the plan in its environment. */
const name = process.argv[2] as ServiceName
const plan = JSON.parse(process.env[planVariable] ?? '{}') as Plan

/** What a killed process had in hand goes to the one in its place after so long; one that only stalls longer has it twice. */
const sessionMs = 3_000

/** What is closed after the application, or before it. */
interface Parts {
  readonly before?: () => Promise<void>
  readonly started?: () => Promise<void> | void
  readonly after?: () => Promise<void>
}

const app = posthaste({
  name: `shop-${name}`,
  // The front has no messages.
  ...(name !== 'front' && { engine: broker({ url: plan.brokerUrl, sessionMs }) }),
  transports: transportsOf(),
  signals: false,
  log: consoleLog({ level: 'error', format: 'text' }),
})
const parts = partsOf(app)
let closing: Promise<void> | undefined

// Whoever started it may be gone.
for (const signal of ['SIGINT', 'SIGTERM', 'disconnect'] as const) process.once(signal, () => void close())
await app.start()
await parts.started?.()
process.send?.('ready')

function transportsOf(): readonly ServerTransport[] {
  if (name === 'front') return [http({ port: plan.port })]
  const url = name in plan.links ? plan.links[name as keyof Plan['links']] : undefined
  return url === undefined ? [] : [link({ url })]
}

function partsOf(of: App): Parts {
  if (name === 'front') {
    serveFront(of, plan)
    return {}
  }
  if (name === 'books') {
    const tables = new EverybodysTables(plan.dir)
    backOfficeService(of, tables, groupsOfAll())
    return { after: () => tables.close() }
  }
  return workerParts(of, name)
}

function workerParts(of: App, worker: Worker): Parts {
  const store = new Store(stateOf(plan.dir, worker))
  const host = serviceHost(of)
  putUp(worker, { host, store, unpaidMs: plan.unpaidMs })
  const after = (): Promise<void> => store.close()
  if (worker === 'inventory') return { started: () => openShelves(store), after }
  if (worker !== 'orders') return { after }
  const outbox = new Outbox(of, store)
  serveOrders(host, { store, outbox, askInventory: askOverLink(plan) })
  return { started: () => outbox.kick(), before: () => outbox.close(), after }
}

function close(): Promise<void> {
  closing ??= (async () => {
    await parts.before?.()
    await app.close()
    await parts.after?.()
    if (process.connected) process.disconnect()
  })()
  return closing
}
