import { join } from 'node:path'
import type { MessageContext } from 'posthaste'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../test/rig.ts'
import { CancelUnpaid, OrderCancelled } from '../contracts.ts'
import { once, say } from './inbox.ts'
import { Store, table } from './store.ts'

const numbers = table<number>('test.numbers')

let rig: Rig
let store: Store
beforeEach(async () => {
  rig = await makeRig()
  store = new Store(join(rig.dir, 'state'))
})
afterEach(async () => {
  await store.close()
  await rig.close()
})

/** A delivery of a message, and what its handler published. */
function delivery(id: string, group = 'g') {
  const sent: unknown[] = []
  const record = async (contract: { type: string }, data: unknown, options?: unknown) => {
    sent.push([contract.type, data, options])
    return { id: '' }
  }
  const context = { id, group, type: 't', publish: record, send: record, schedule: record }
  return { context: context as unknown as MessageContext, sent }
}

const handler = () =>
  once<string>(store, (orderNo, tx) => {
    const count = (tx.get(numbers, 'n') ?? 0) + 1
    tx.put(numbers, ['n'], count)
    return [say(CancelUnpaid, { orderNo }, count), say(OrderCancelled, { orderNo, reason: 'unpaid' })]
  })

it('has its effect once, and publishes the same again when the acknowledgement was lost', async () => {
  const [first, again] = [delivery('m1'), delivery('m1')]
  await handler()('1', first.context)
  await handler()('1', again.context)
  expect(store.get(numbers, 'n')).toBe(1)
  expect(first.sent).toEqual([
    ['shop.order.cancel-unpaid', { orderNo: '1' }, { atMs: 1 }],
    ['shop.order.cancelled', { orderNo: '1', reason: 'unpaid' }, undefined],
  ])
  expect(again.sent).toEqual(first.sent)
})

it('knows messages by their group, too', async () => {
  await handler()('1', delivery('m1', 'points').context)
  await handler()('1', delivery('m1', 'logistics').context)
  await handler()('1', delivery('m2', 'points').context)
  expect(store.get(numbers, 'n')).toBe(3)
})

it('remembers nothing of a message whose handler failed', async () => {
  const failing = once<string>(store, (_, tx) => {
    tx.put(numbers, ['n'], 99)
    throw new Error('not now')
  })
  await expect(failing('1', delivery('m1').context)).rejects.toThrow('not now')
  await handler()('1', delivery('m1').context)
  expect(store.get(numbers, 'n')).toBe(1)
})
