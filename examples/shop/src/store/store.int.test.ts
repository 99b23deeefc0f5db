import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../test/rig.ts'
import { Store, table } from './store.ts'

const numbers = table<number>('test.numbers')
const others = table<number>('test.numbers-of-others')

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

describe('transact', () => {
  it('sees its own writes, and everybody sees them afterwards', async () => {
    const seen = await store.transact((tx) => {
      tx.put(numbers, ['a'], 1)
      tx.put(numbers, ['b'], 2)
      tx.remove(numbers, ['b'])
      return [tx.get(numbers, 'a'), tx.get(numbers, 'b')]
    })
    expect(seen).toEqual([1, undefined])
    expect(store.get(numbers, 'a')).toBe(1)
  })

  it('writes nothing where it throws, and does not disturb its neighbours', async () => {
    const before = store.transact((tx) => tx.put(numbers, ['before'], 1))
    const failing = store.transact((tx) => {
      tx.put(numbers, ['never'], 1)
      throw new Error('changed my mind')
    })
    const after = store.transact((tx) => tx.put(numbers, ['after'], 1))
    await expect(failing).rejects.toThrow('changed my mind')
    await Promise.all([before, after])
    expect([...store.list(numbers)].map(([key]) => key)).toEqual([['after'], ['before']])
  })

  it('runs one after the other: no update is lost', async () => {
    const increment = () => store.transact((tx) => tx.put(numbers, ['n'], (tx.get(numbers, 'n') ?? 0) + 1))
    await Promise.all(Array.from({ length: 200 }, increment))
    expect(store.get(numbers, 'n')).toBe(200)
  })

  it('is still there when the store is opened again', async () => {
    await store.transact((tx) => tx.put(numbers, ['a'], 1))
    await store.close()
    store = new Store(join(rig.dir, 'state'))
    expect(store.get(numbers, 'a')).toBe(1)
  })
})

describe('list', () => {
  beforeEach(() =>
    store.transact((tx) => {
      tx.put(others, ['7', '0'], 0)
      for (const [user, no] of [
        ['7', '1'],
        ['7', '2'],
        ['7', '3'],
        ['70', '1'],
      ] as const)
        tx.put(numbers, [user, no], 1)
    }),
  )
  const keys = (...query: Parameters<typeof store.list> extends [unknown, ...infer Rest] ? Rest : never) =>
    [...store.list(numbers, ...query)].map(([key]) => key.join('/'))

  it('keeps to its table', () => {
    expect(keys()).toEqual(['7/1', '7/2', '7/3', '70/1'])
  })

  it('keeps to what begins with a key, and not to what only looks like it', () => {
    expect(keys({ under: ['7'] })).toEqual(['7/1', '7/2', '7/3'])
  })

  it('goes on after a key, up to a limit', () => {
    expect(keys({ under: ['7'], after: ['7', '1'], limit: 1 })).toEqual(['7/2'])
    expect(keys({ under: ['7'], after: ['7', '3'] })).toEqual([])
  })
})
