import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../../test/rig.ts'
import { drawn } from '../stories.ts'
import { order } from './story.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

it('the order of an account is violated without a key, and holds in parallel with one', async () => {
  const account = await order({ dir: rig.dir, seconds: 1 })
  expect(account.claims.filter(({ holds }) => !holds)).toEqual([])
  const [unordered, single, keyed] = account.figures.find(({ what }) => what === 'overdrafts')!.values
  expect(unordered).toBeGreaterThan(0)
  expect([single, keyed]).toEqual([0, 0])
  expect(account.charts.length > 0).toBe(drawn.has(account.story))
  for (const { values } of account.figures) expect(values).toHaveLength(account.variants.length)
})
