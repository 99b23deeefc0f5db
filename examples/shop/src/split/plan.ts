import type { AddressInfo } from 'node:net'
import { createServer } from 'node:net'

/** The services of the shop, each of which is a process; the front is what customers and tills talk to. */
export const serviceNames = [
  'orders',
  'inventory',
  'payment',
  'points',
  'logistics',
  'notification',
  'books',
  'front',
] as const

/** One of them. */
export type ServiceName = (typeof serviceNames)[number]

/** A process of the shop: a service, or the broker that carries their messages. */
export type ProcessName = ServiceName | 'broker'

/** Everything that the processes have to know of each other. Travels to each in its environment. */
export interface Plan {
  /** Each process has a directory of its own in it. */
  readonly dir: string
  /** Port of the API, on loopback. */
  readonly port: number
  /** `link://127.0.0.1:…` of the broker. */
  readonly brokerUrl: string
  /** The same of those services that are called. */
  readonly links: Readonly<Record<'orders' | 'inventory' | 'books', string>>
  /** Milliseconds an order may stay unpaid. */
  readonly unpaidMs: number
}

/** The variable of the environment that holds the plan. */
export const planVariable = 'SHOP_SPLIT_PLAN'

/** Draws up a plan, on ports that are free now. */
export async function drawUpPlan({ dir, port, unpaidMs }: Pick<Plan, 'dir' | 'port' | 'unpaidMs'>): Promise<Plan> {
  const [broker = 0, orders = 0, inventory = 0, books = 0, front = 0] = await freePorts(5)
  const link = (at: number): string => `link://127.0.0.1:${at}`
  return {
    dir,
    port: port === 0 ? front : port,
    brokerUrl: link(broker),
    links: { orders: link(orders), inventory: link(inventory), books: link(books) },
    unpaidMs,
  }
}

/** All are held until the last is found, so that none is given twice. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer())
  await Promise.all(servers.map((server) => new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))))
  const ports = servers.map((server) => (server.address() as AddressInfo).port)
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))))
  return ports
}
