import { expect, test } from 'vitest'
import { promotedBytes } from '../../test/promoted.ts'
import { cancelSource } from '../pipeline/cancellation.ts'
import { type Chained, KeyChains } from './consuming/key-chains.ts'
import { InOrder } from './publishing/in-order.ts'

/** How many are under way at a time. */
const underWay = 64

interface Item extends Chained<Item> {
  readonly body: number[]
}

/** Has what begins end when so many others have begun. */
function ending(begin: (index: number) => () => void): (index: number) => void {
  const ends: (() => void)[] = []
  return (index) => {
    ends[index % underWay]?.()
    ends[index % underWay] = begin(index)
  }
}

test('what has left its chain of a key does not outlive young collections', async () => {
  const chains = new KeyChains<Item>()
  const pass = ending((index) => {
    const item: Item = { key: `key ${index % 1_000}`, behind: undefined, body: [index, index, index] }
    chains.enter(item)
    return () => chains.leave(item)
  })
  expect(await promotedBytes(200_000, pass)).toBeLessThan(2 ** 20)
})

test('what is published after what has to be waited for does not, however long there is always somebody who waits', async () => {
  const order = new InOrder()
  const pass = ending((index) => {
    const { promise, resolve } = Promise.withResolvers<{ readonly body: number[] }>()
    void order.pass('lane', promise, async ({ body }) => body.length)
    return () => resolve({ body: [index, index, index] })
  })
  expect(await promotedBytes(100_000, pass)).toBeLessThan(2 ** 20)
})

test('those who have listened to one cancellation do not, though there are always others', async () => {
  const { token } = cancelSource()
  const pass = ending((index) => {
    const body = [index, index, index]
    return token.onCancel(() => body.length)
  })
  expect(await promotedBytes(200_000, pass)).toBeLessThan(2 ** 20)
})
