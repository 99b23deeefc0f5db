import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect } from 'vitest'
import { openShop, type Shop, type ShopOptions } from '../src/shop.ts'

/** Takes every payment. */
export const readyGateway = { async charge() {}, async refund() {} }

/** A directory for one test, and the shops that are opened in it. */
export interface Rig {
  readonly dir: string
  /** Opens the shop; unless the test wants it otherwise, payments succeed and nothing times out. */
  open(options?: Partial<ShopOptions>): Promise<Shop>
  /** Closes every shop and takes the directory away. */
  close(): Promise<void>
}

export async function makeRig(): Promise<Rig> {
  const dir = await mkdtemp(join(tmpdir(), 'posthaste-shop-'))
  const shops: Shop[] = []
  return {
    dir,
    async open(options = {}) {
      const shop = await openShop({ dir, gateway: readyGateway, logLevel: 'silent', ...options })
      shops.push(shop)
      return shop
    },
    async close() {
      for (const shop of shops) await shop.close()
      await rm(dir, { recursive: true, force: true })
    },
  }
}

/** What the shop's API answers. */
export interface Answer {
  readonly status: number
  readonly body: Readonly<Record<string, unknown>>
}

export function get(shop: Shop, path: string): Promise<Answer> {
  return request(shop, path, { method: 'GET' })
}

export function post(shop: Shop, path: string, body: unknown): Promise<Answer> {
  const headers = { 'content-type': 'application/json' }
  return request(shop, path, { method: 'POST', headers, body: JSON.stringify(body) })
}

async function request(shop: Shop, path: string, init: RequestInit): Promise<Answer> {
  const response = await fetch(shop.url + path, init)
  return { status: response.status, body: (await response.json()) as Answer['body'] }
}

/** Waits until the order is in this state. */
export async function reach(shop: Shop, orderNo: string, state: string): Promise<void> {
  await expect.poll(async () => (await get(shop, `/api/orders/${orderNo}`)).body.state, patience).toBe(state)
}

/** Waits until the books balance. */
export async function balance(shop: Shop): Promise<void> {
  const unbalanced = async (): Promise<unknown> => {
    const { body } = await get(shop, '/api/books')
    return (body.equations as readonly { readonly holds: boolean }[]).filter(({ holds }) => !holds)
  }
  await expect.poll(unbalanced, patience).toEqual([])
}

/** What happened to an order, in order. */
export async function historyOf(shop: Shop, orderNo: string): Promise<string[]> {
  const { body } = await get(shop, `/api/orders/${orderNo}`)
  return (body.history as readonly { readonly what: string }[]).map(({ what }) => what)
}

/** Pieces of a product on the shelf. */
export async function onHand(shop: Shop, productId: string): Promise<unknown> {
  return (await get(shop, `/api/stock/${productId}`)).body.onHand
}

/** How long a test waits for what must come. */
export const patience = { timeout: 20_000, interval: 20 }
