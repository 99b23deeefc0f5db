import { afterEach, beforeEach, expect, it } from 'vitest'
import { balance, get, makeRig, post, type Rig, reach } from '../../test/rig.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

it('costs no order anything but time: each is answered, paid and shipped once', async () => {
  const shop = await rig.open({ chaos: { rate: 0.2, seed: 11 }, unpaidMs: 600_000 })
  const orderNos = ['1', '2', '3', '4', '5', '6']
  const answers = await Promise.all(
    orderNos.map((orderNo) => post(shop, '/api/orders', { orderNo, lines: [{ productId: 'CUP', quantity: 1 }] })),
  )
  expect(answers.map(({ status }) => status)).toEqual(orderNos.map(() => 201))
  await Promise.all(orderNos.map((orderNo) => reach(shop, orderNo, 'shipped')))
  await balance(shop)
  expect((await get(shop, '/api/stock/CUP')).body.onHand).toBe(394)
})

it('stands behind every client and in front of every handler, and counts what it did', async () => {
  const shop = await rig.open({ chaos: { rate: 1, seed: 1 } })
  await post(shop, '/api/orders', { orderNo: '1', lines: [{ productId: 'CUP', quantity: 1 }] })
  const { methods, subscriptions } = shop.app.snapshot()
  const roles = (filters: readonly { readonly role: string }[]) => filters.map(({ role }) => role)
  const clients = methods.filter(({ side }) => side === 'client')
  for (const { filters } of [...clients, ...subscriptions]) expect(roles(filters)).toContain('chaos')
  expect(clients.length + subscriptions.length).toBeGreaterThan(10)
  for (const { filters } of methods.filter(({ side }) => side === 'server'))
    expect(roles(filters)).not.toContain('chaos')
  expect((await get(shop, '/api/orders/1')).body.history).toMatchObject([
    { what: 'accepted without a look at the stock' },
  ])
})
