import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../test/rig.ts'
import { orders } from '../orders/order.ts'
import { payments } from '../payment/payment.ts'
import { Store } from '../store/store.ts'
import { EverybodysTables, groupsOfAll, stateOf } from './bookkeeping.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

it('knows every group that the shop of one process has, and no other', async () => {
  const { app } = await rig.open()
  const found = app.describe().subscriptions.map(({ channel, group }) => ({ channel, group }))
  const name = (of: { channel: string; group: string }): string => `${of.channel}@${of.group}`
  expect(groupsOfAll().map(name).toSorted()).toEqual(found.map(name).toSorted())
})

it('reads the tables of each service where that one writes them, as soon as it does', async () => {
  const tables = new EverybodysTables(rig.dir)
  expect([tables.get(orders, '1'), ...tables.list(payments)]).toEqual([undefined])
  const store = new Store(stateOf(rig.dir, 'payment'))
  await store.transact((tx) => tx.put(payments, ['1'], { state: 'captured', amountPence: 5 }))
  expect([...tables.list(payments)]).toEqual([[['1'], { state: 'captured', amountPence: 5 }]])
  expect(tables.get(orders, '1')).toBeUndefined()
  await store.transact((tx) => tx.put(payments, ['2'], { state: 'declined', amountPence: 6 }))
  expect(tables.get(payments, '2')).toMatchObject({ amountPence: 6 })
  await tables.close()
  await store.close()
})
