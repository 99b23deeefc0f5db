import { expect, it } from 'vitest'
import { tap } from './tap.ts'

it('lets pass while it is open, and whoever waits once it is open again', async () => {
  const water = tap()
  expect(water.pass()).toBeUndefined()
  water.shut()
  const passed: number[] = []
  const waiting = [1, 2].map((who) => water.pass()?.then(() => passed.push(who)))
  await Promise.resolve()
  expect(passed).toEqual([])
  water.open()
  await Promise.all(waiting)
  expect(passed).toEqual([1, 2])
  expect(water.pass()).toBeUndefined()
})

it('may be shut and opened again and again', async () => {
  const water = tap()
  for (let round = 0; round < 2; round += 1) {
    water.shut()
    water.shut()
    const passing = water.pass()
    expect(passing).toBeDefined()
    water.open()
    await passing
  }
})
