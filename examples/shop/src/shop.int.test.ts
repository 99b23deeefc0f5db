import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { balance, get, historyOf, makeRig, onHand, patience, post, type Rig, reach } from '../test/rig.ts'
import { OrderCreated } from './contracts.ts'
import { fateOf } from './payment/gateway.ts'

const tea = {
  userId: 7,
  lines: [
    { productId: 'TEAPOT', quantity: 2 },
    { productId: 'CUP', quantity: 4 },
  ],
}

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

describe('an order', () => {
  it('is answered at once, then paid and shipped, and shows what happened to it', async () => {
    const shop = await rig.open()
    const answer = await post(shop, '/api/orders', tea)
    expect(answer).toEqual({
      status: 201,
      body: { orderNo: 'S-1001', state: 'accepted', totalPence: 11_990, repeated: false },
    })
    await reach(shop, 'S-1001', 'shipped')
    await balance(shop)
    expect((await historyOf(shop, 'S-1001'))[0]).toBe('accepted')
    await expect
      .poll(async () => (await historyOf(shop, 'S-1001')).sort())
      .toEqual(['accepted', 'stock deducted', 'paid £119.90', '119 points granted', 'shipped as PH-S-1001'].sort())
    expect(await onHand(shop, 'CUP')).toBe(396)
  })

  it('is the same order when it is sent again, and another one is refused under its number', async () => {
    const shop = await rig.open()
    const first = await post(shop, '/api/orders', { ...tea, orderNo: '55' })
    const again = await post(shop, '/api/orders', { ...tea, orderNo: '55' })
    const other = await post(shop, '/api/orders', { ...tea, userId: 8, orderNo: '55' })
    expect(first.body).toMatchObject({ orderNo: '55', repeated: false })
    expect(again).toMatchObject({ status: 201, body: { orderNo: '55', repeated: true } })
    expect(other).toMatchObject({ status: 409, body: { code: 'CONFLICT' } })
    await reach(shop, '55', 'shipped')
    await balance(shop)
    expect(await onHand(shop, 'TEAPOT')).toBe(98)
  })

  it('is one order, however many send it at the same time', async () => {
    const shop = await rig.open()
    const answers = await Promise.all(
      Array.from({ length: 10 }, () => post(shop, '/api/orders', { ...tea, orderNo: '9' })),
    )
    expect(answers.filter(({ body }) => body.repeated === false)).toHaveLength(1)
    await reach(shop, '9', 'shipped')
    await balance(shop)
    expect(await onHand(shop, 'TEAPOT')).toBe(98)
  })

  it('deducts once, even if it is told of twice', async () => {
    const shop = await rig.open()
    await post(shop, '/api/orders', { ...tea, orderNo: '9' })
    await reach(shop, '9', 'shipped')
    const lines = [{ productId: 'TEAPOT', quantity: 2, unitPricePence: 3_495 }]
    const twin = { orderNo: '9', userId: 7, lines, totalPence: 6_990, createdAtMs: 0 }
    await shop.app.publish(OrderCreated, twin, { id: 'another-message' })
    await post(shop, '/api/orders', { ...tea, orderNo: '10' })
    await reach(shop, '10', 'shipped')
    expect(await onHand(shop, 'TEAPOT')).toBe(96)
  })

  it('is found by its user, page by page', async () => {
    const shop = await rig.open()
    for (const orderNo of ['1', '2', '3']) await post(shop, '/api/orders', { ...tea, orderNo })
    await post(shop, '/api/orders', { ...tea, userId: 70, orderNo: '4' })
    const first = await get(shop, '/api/orders?userId=7&limit=2')
    expect(first.body).toMatchObject({ orders: [{ orderNo: '1' }, { orderNo: '2' }], next: '2' })
    const second = await get(shop, '/api/orders?userId=7&limit=2&after=2')
    expect(second.body.orders).toMatchObject([{ orderNo: '3' }])
    expect(second.body).not.toHaveProperty('next')
  })

  it('of a guest brings nobody points', async () => {
    const shop = await rig.open()
    await post(shop, '/api/orders', { orderNo: '3', lines: tea.lines })
    await reach(shop, '3', 'shipped')
    await balance(shop)
    expect((await historyOf(shop, '3')).join()).not.toContain('points')
  })
})

describe('what is wrong', () => {
  it.each([
    ['no lines', { lines: [] }],
    ['half a piece', { lines: [{ productId: 'CUP', quantity: 0.5 }] }],
    ['a product that has no price', { lines: [{ productId: 'UNICORN', quantity: 1 }] }],
    ['a field nobody knows', { ...tea, coupon: 'X' }],
  ])('is answered with 422 and the place: %s', async (_, order) => {
    const shop = await rig.open()
    const { status, body } = await post(shop, '/api/orders', order)
    expect(status).toBe(422)
    expect(body.errors).toHaveLength(1)
  })

  it('is answered with 404 where there is nothing', async () => {
    const shop = await rig.open()
    for (const path of ['/api/orders/1', '/api/returns/C1', '/api/stock/UNICORN']) {
      expect(await get(shop, path)).toMatchObject({ status: 404, body: { code: 'NOT_FOUND' } })
    }
  })

  it('is refused with 409 where too little is in stock', async () => {
    const shop = await rig.open()
    const { status, body } = await post(shop, '/api/orders', { lines: [{ productId: 'KETTLE', quantity: 4 }] })
    expect(status).toBe(409)
    expect(body.errors).toEqual([{ path: 'lines.0.quantity', message: "too few of 'KETTLE' are in stock" }])
  })
})

describe('an inventory that is in trouble', () => {
  it.each([
    ['slow', () => new Promise<void>((resolve) => setTimeout(resolve, 5_000).unref())],
    ['down', () => Promise.reject(new Error('down'))],
  ])('does not keep customers waiting when it is %s', async (_, beforeCheck) => {
    const shop = await rig.open({ inventory: { beforeCheck } })
    const answer = await post(shop, '/api/orders', { ...tea, orderNo: '5' })
    expect(answer.status).toBe(201)
    await reach(shop, '5', 'shipped')
    expect((await historyOf(shop, '5'))[0]).toBe('accepted without a look at the stock')
  })

  it('is left alone by the breaker after a while', async () => {
    let looks = 0
    const beforeCheck = () => {
      looks += 1
      throw new Error('down')
    }
    const shop = await rig.open({ inventory: { beforeCheck } })
    for (let orderNo = 1; orderNo <= 30; orderNo += 1) {
      await post(shop, '/api/orders', { ...tea, orderNo: String(orderNo) })
    }
    expect(looks).toBeLessThan(30)
  })

  it('still has the last word: what it does not have is not sold', async () => {
    const beforeCheck = () => Promise.reject(new Error('down'))
    const shop = await rig.open({ inventory: { beforeCheck } })
    await post(shop, '/api/orders', { orderNo: '6', lines: [{ productId: 'KETTLE', quantity: 4 }] })
    await reach(shop, '6', 'cancelled')
    await balance(shop)
    await expect.poll(() => historyOf(shop, '6'), patience).toContain('out of stock: KETTLE')
    expect(await onHand(shop, 'KETTLE')).toBe(3)
  })
})

describe('a payment', () => {
  const quick = { immediate: 0, delayed: 4, baseMs: 10, maxMs: 20 }

  function numberFated(wanted: ReturnType<typeof fateOf>['fate']): string {
    let number = 1
    while (fateOf(String(number)).fate !== wanted) number += 1
    return String(number)
  }

  it('that fails now and then succeeds in the end', async () => {
    const shop = await rig.open({ gateway: undefined, paymentRetry: quick })
    const orderNo = numberFated('paid late')
    await post(shop, '/api/orders', { ...tea, orderNo })
    await reach(shop, orderNo, 'shipped')
    await balance(shop)
  })

  it.each([
    ['declined', 'HANDLER_REJECTED'],
    ['never answered', 'ATTEMPTS_EXHAUSTED'],
  ] as const)('that is %s ends in the dead letters, and the stock goes back', async (fate, code) => {
    const shop = await rig.open({ gateway: undefined, paymentRetry: quick, unpaidMs: 1_000 })
    const orderNo = numberFated(fate)
    await post(shop, '/api/orders', { ...tea, orderNo })
    await reach(shop, orderNo, 'cancelled')
    await balance(shop)
    expect((await get(shop, '/api/dead-letters')).body.payments).toMatchObject([{ orderNo, code }])
    expect(await onHand(shop, 'TEAPOT')).toBe(100)
    await expect
      .poll(() => historyOf(shop, orderNo))
      .toEqual(['accepted', 'stock deducted', 'cancelled: not paid in time', 'stock given back: 6 pieces'])
  })

  it('that comes after the cancellation is paid back, and nothing is shipped', async () => {
    const refunded: string[] = []
    let answer: (() => void) | undefined
    const gateway = {
      charge: () =>
        new Promise<void>((resolve) => {
          answer = resolve
        }),
      refund: async (orderNo: string) => void refunded.push(orderNo),
    }
    const shop = await rig.open({ gateway, unpaidMs: 1_500 })
    await post(shop, '/api/orders', { ...tea, orderNo: '8' })
    await reach(shop, '8', 'cancelled')
    answer?.()
    await balance(shop)
    await expect.poll(() => historyOf(shop, '8'), patience).toContain('£119.90 paid back')
    expect((await get(shop, '/api/orders/8')).body.state).toBe('cancelled')
    await expect.poll(() => new Set(refunded), patience).toEqual(new Set(['8']))
  })
})

it('does not cancel an order for the time that the shop was closed', async () => {
  const failing = { charge: () => Promise.reject(new Error('no answer')), async refund() {} }
  const paymentRetry = { immediate: 0, delayed: 100, baseMs: 100, maxMs: 100 }
  const unpaidMs = 2_000
  const before = await rig.open({ gateway: failing, paymentRetry, unpaidMs })
  await post(before, '/api/orders', { ...tea, orderNo: '1' })
  await reach(before, '1', 'reserved')
  await before.close()
  await pause(unpaidMs)
  // Slower than a cancellation that is due at once.
  const after = await rig.open({ gateway: { ...failing, charge: () => pause(300) }, unpaidMs })
  await reach(after, '1', 'shipped')
})

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}

describe('a return', () => {
  it('gives the money and the stock back and takes the points, once', async () => {
    const shop = await rig.open()
    await post(shop, '/api/orders', { ...tea, orderNo: '1' })
    await reach(shop, '1', 'shipped')
    const lines = [{ productId: 'CUP', quantity: 1, unitPricePence: 1_250 }]
    const back = { returnNo: 'C1', userId: 7, lines }
    expect(await post(shop, '/api/returns', back)).toMatchObject({ status: 201, body: { repeated: false } })
    expect(await post(shop, '/api/returns', back)).toMatchObject({ status: 201, body: { repeated: true } })
    expect(await post(shop, '/api/returns', { ...back, userId: 8 })).toMatchObject({ status: 409 })
    await balance(shop)
    expect((await get(shop, '/api/returns/C1')).body).toMatchObject({ state: 'refunded', totalPence: 1_250 })
    expect(await onHand(shop, 'CUP')).toBe(397)
    expect((await get(shop, '/api/books')).body.equations).toContainEqual({
      what: 'points',
      left: '119 granted − 12 withdrawn',
      right: '107 in accounts',
      holds: true,
    })
  })
})

it('refuses a second shop on the same data, and names the process that has it', async () => {
  await rig.open()
  await expect(rig.open()).rejects.toMatchObject({ code: 'ENGINE_LOCKED', message: expect.stringContaining('pid') })
})
