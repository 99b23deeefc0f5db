import { join } from 'node:path'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { balance, makeRig, onHand, type Rig, reach } from '../../test/rig.ts'
import { Store } from '../store/store.ts'
import { pricedLines, takeOrder } from './intake.ts'
import { outboxSize } from './outbox.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

it('publishes, after a start, what the process before had accepted and not published', async () => {
  const store = new Store(join(rig.dir, 'state'))
  const request = { orderNo: '1', userId: 7, lines: [{ productId: 'TEAPOT', quantity: 1 }] }
  await takeOrder(store, { request, lines: pricedLines(request.lines), note: 'accepted' })
  expect(outboxSize(store)).toBe(1)
  await store.close()

  const shop = await rig.open()
  await reach(shop, '1', 'shipped')
  await balance(shop)
  expect(await onHand(shop, 'TEAPOT')).toBe(99)
})
