import { join } from 'node:path'
import { http } from '@posthaste/http'
import {
  type App,
  consoleLog,
  type Engine,
  type HandlerOptions,
  type LogLevel,
  posthaste,
  type ServeOptions,
} from 'posthaste'
import { backOfficeService } from './books/books.ts'
import { troubleMaker } from './chaos/chaos.ts'
import { engineOf, serverOf } from './engine.ts'
import { serviceHost } from './host.ts'
import { type InventoryOptions, inventoryService, openShelves } from './inventory/inventory.ts'
import { logisticsService } from './logistics/logistics.ts'
import { notificationService } from './notification/notification.ts'
import type { AskInventory } from './orders/asking.ts'
import { handleOrders } from './orders/handlers.ts'
import { Outbox } from './orders/outbox.ts'
import { serveOrders } from './orders/service.ts'
import { type Gateway, simulatedGateway } from './payment/gateway.ts'
import { paymentService } from './payment/payment.ts'
import { pointsService } from './points/points.ts'
import { Store } from './store/store.ts'

/** How the shop is run. */
export interface ShopOptions {
  /** Where state is kept, and messages where no server carries them; made if it does not exist. */
  readonly dir: string
  /**
   * URL of the server that carries the messages: `amqp://…`, `kafka://…`, `nats://…`, `redis://…`, and the same over TLS.
   * Default: none; the embedded engine carries them, and one process at a time owns the directory.
   */
  readonly engineUrl?: string | undefined
  /** TCP port on loopback; 0 lets the system choose one. Default 0. */
  readonly port?: number | undefined
  /** Milliseconds an order may stay unpaid. Default 30,000. */
  readonly unpaidMs?: number | undefined
  /** What follows a failed payment. Default: four more attempts, about 1, 2, 4 and 8 s apart. */
  readonly paymentRetry?: HandlerOptions['retry']
  /** Most payments at a time, as the gateway's operator allows. Default: 16. */
  readonly paymentsAtATime?: number | undefined
  /** Default: one that fails now and then, reproducibly. */
  readonly gateway?: Gateway | undefined
  readonly inventory?: InventoryOptions | undefined
  /** How the order service asks the inventory. Default: with timeout, breaker and fallback. */
  readonly askInventory?: AskInventory | undefined
  /** How orders are served. */
  readonly serving?: ServeOptions | undefined
  /** Faults that are injected between the services. Default: none. */
  readonly chaos?: { readonly rate: number; readonly seed?: number | undefined } | undefined
  /** Default `warn`: dead letters are told of. */
  readonly logLevel?: LogLevel | undefined
}

/** A shop that is open. */
export interface Shop {
  readonly app: App
  readonly store: Store
  /** Where its API is found. */
  readonly url: string
  /** Lets running work end, then closes everything. Idempotent. */
  close(): Promise<void>
}

const defaults = { port: 0, unpaidMs: 30_000, gateway: simulatedGateway, logLevel: 'warn' } as const
const defaultRetry: HandlerOptions['retry'] = { immediate: 0, delayed: 4, baseMs: 1_000, maxMs: 10_000 }

/**
 * Opens the shop: six services in one process, on any engine. They share nothing but the contracts; each keeps tables of
 * its own.
 *
 * @throws UsageError when the URL names no engine
 * @throws ENGINE_LOCKED when another process has the directory; UNAVAILABLE when the port is taken, or the server away
 */
export async function openShop(options: ShopOptions): Promise<Shop> {
  const { dir, engineUrl } = options
  if (engineUrl !== undefined) serverOf(engineUrl)
  const store = new Store(join(dir, 'state'))
  try {
    return await openOn(await engineOf(engineUrl, { dir, store }), store, options)
  } catch (error) {
    await store.close()
    throw error
  }
}

async function openOn(engine: Engine, store: Store, options: ShopOptions): Promise<Shop> {
  const { port = defaults.port, unpaidMs = defaults.unpaidMs, gateway = defaults.gateway, chaos } = options
  const { logLevel = defaults.logLevel } = options
  const app = posthaste({
    name: 'shop',
    engine,
    transports: [http({ port })],
    // The store is closed after the application, so the signals are for whoever closes both.
    signals: false,
    log: consoleLog({ level: logLevel }),
  })
  const outbox = new Outbox(app, store)
  const host = serviceHost(app, chaos && { chaos: troubleMaker({ ...chaos, logLevel }) })

  serveOrders(host, { store, outbox, askInventory: options.askInventory, serving: options.serving })
  handleOrders(host, store, unpaidMs)
  inventoryService(host, store, options.inventory)
  const retry = options.paymentRetry ?? defaultRetry
  paymentService(host, store, { gateway, handling: { retry, concurrency: options.paymentsAtATime } })
  pointsService(host, store)
  logisticsService(host, store)
  notificationService(host, store)
  backOfficeService(app, store)

  const closeAll = async (): Promise<void> => {
    try {
      await outbox.close()
      await app.close()
    } finally {
      await store.close()
    }
  }
  let closed: Promise<void> | undefined
  const close = (): Promise<void> => {
    closed ??= closeAll()
    return closed
  }
  try {
    // The embedded engine's lock is the shop's: nothing is written before it is held.
    await app.start()
    await openShelves(store)
  } catch (error) {
    await close().catch(() => undefined)
    throw error
  }
  outbox.kick()
  return { app, store, url: app.urls[0]!, close }
}
