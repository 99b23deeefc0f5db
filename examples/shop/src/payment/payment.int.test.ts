import { PosthasteError, reject } from 'posthaste'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { balance, get, historyOf, makeRig, onHand, patience, post, type Rig, reach } from '../../test/rig.ts'
import { StockDeducted } from '../contracts.ts'
import type { Shop } from '../shop.ts'
import { type Payment, paymentGroup, payments } from './payment.ts'

const orderNo = '1'
const order = { orderNo, userId: 7, lines: [{ productId: 'TEAPOT', quantity: 2 }] }
const paymentRetry = { immediate: 0, delayed: 1, baseMs: 10, maxMs: 10 }
const declined = () => reject('the card is declined')
const unanswered = () => new PosthasteError('UNAVAILABLE', 'the gateway did not answer')

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

/** A gateway that fails until it is told to take money, and counts what it took. */
function fickleGateway(failure: () => Error | Promise<Error>) {
  const gateway = {
    takes: false,
    charged: 0,
    async charge() {
      if (!gateway.takes) throw await failure()
      gateway.charged += 1
    },
    async refund() {},
  }
  return gateway
}

async function reachPayment(shop: Shop, payment: Partial<Payment>): Promise<void> {
  await expect.poll(() => shop.store.get(payments, orderNo), patience).toMatchObject(payment)
}

/** Redrives the one dead letter there must be. */
async function redrive(shop: Shop): Promise<void> {
  const count = async () => ((await get(shop, '/api/dead-letters')).body.payments as unknown[]).length
  await expect.poll(count, patience).toBe(1)
  const letters = shop.app.deadLetters(StockDeducted, { group: paymentGroup })
  expect(await letters.redrive({ all: true })).toMatchObject({ moved: 1, failed: [] })
}

/** The redriven payment was looked at, and nothing came of it. */
async function expectNoEffect(shop: Shop, gateway: { readonly charged: number }): Promise<void> {
  await reachPayment(shop, { state: 'void', overtaken: true })
  await balance(shop)
  expect(gateway.charged).toBe(0)
  expect((await get(shop, '/api/dead-letters')).body.payments).toEqual([])
  expect((await get(shop, `/api/orders/${orderNo}`)).body.state).toBe('cancelled')
  expect(await onHand(shop, 'TEAPOT')).toBe(100)
  expect((await historyOf(shop, orderNo)).join()).not.toContain('paid £')
}

it.each([
  ['declined', declined, { state: 'void', declined: true }],
  ['never answered', unanswered, { state: 'void' }],
] as const)('charges nothing for a cancelled order when its %s payment is redriven', async (_, failure, payment) => {
  const gateway = fickleGateway(failure)
  const shop = await rig.open({ gateway, paymentRetry, unpaidMs: 2_000 })
  await post(shop, '/api/orders', order)
  await reach(shop, orderNo, 'cancelled')
  await reachPayment(shop, payment)
  await balance(shop)
  gateway.takes = true
  await redrive(shop)
  await expectNoEffect(shop, gateway)
})

it('charges nothing when the order was cancelled while the gateway was about to decline', async () => {
  let answer: ((failure: Error) => void) | undefined
  const gateway = fickleGateway(
    () =>
      new Promise((resolve) => {
        answer = resolve
      }),
  )
  const shop = await rig.open({ gateway, paymentRetry, unpaidMs: 2_000 })
  await post(shop, '/api/orders', order)
  await reachPayment(shop, { state: 'void' })
  answer?.(declined())
  await reachPayment(shop, { state: 'void', declined: true })
  await balance(shop)
  gateway.takes = true
  await redrive(shop)
  await expectNoEffect(shop, gateway)
})

it('takes the money of a declined payment that is redriven in time', async () => {
  const gateway = fickleGateway(declined)
  const shop = await rig.open({ gateway, paymentRetry })
  await post(shop, '/api/orders', order)
  await reachPayment(shop, { state: 'declined' })
  gateway.takes = true
  await redrive(shop)
  await reach(shop, orderNo, 'shipped')
  await balance(shop)
  expect(gateway.charged).toBe(1)
})

/** The message of the order's stock once more: under its own id, as an engine may deliver it, or under another one. */
function repeat(shop: Shop, id: string): Promise<unknown> {
  return shop.app.publish(StockDeducted, { orderNo, totalPence: 6_990 }, { id })
}

it('charges once, and stays paid, when its message comes again and the gateway is down by then', async () => {
  const gateway = fickleGateway(unanswered)
  gateway.takes = true
  const shop = await rig.open({ gateway, paymentRetry })
  await post(shop, '/api/orders', order)
  await reach(shop, orderNo, 'shipped')
  gateway.takes = false
  await repeat(shop, 'again')
  const waiting = () => shop.app.group(StockDeducted, { group: paymentGroup }).lag()
  await expect.poll(waiting, patience).toEqual({ ready: 0, waiting: 0, inFlight: 0 })
  await balance(shop)
  expect(gateway.charged).toBe(1)
  expect((await get(shop, '/api/dead-letters')).body.payments).toEqual([])
})

it.each([
  ['declined', declined],
  ['never answered', unanswered],
] as const)('counts an order once whose %s payment is told of again', async (_, failure) => {
  const shop = await rig.open({ gateway: fickleGateway(failure), paymentRetry, unpaidMs: 1_000 })
  await post(shop, '/api/orders', order)
  await expect.poll(async () => (await get(shop, '/api/dead-letters')).body.payments, patience).toHaveLength(1)
  await repeat(shop, 'while it may still be paid')
  await expect.poll(async () => (await get(shop, '/api/dead-letters')).body.payments, patience).toHaveLength(2)
  await reach(shop, orderNo, 'cancelled')
  await balance(shop)
  await repeat(shop, 'when it is off')
  await reachPayment(shop, { state: 'void', overtaken: true })
  await balance(shop)
})
