import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../../test/rig.ts'
import { drawn } from '../stories.ts'
import { avalanche } from './story.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

it('a stalled inventory exhausts the naive shop, and leaves ours answering', async () => {
  const account = await avalanche({ dir: rig.dir, seconds: 2 })
  expect(account.claims.filter(({ holds }) => !holds)).toEqual([])
  expect(account.charts.length > 0).toBe(drawn.has(account.story))
  for (const { values } of account.figures) expect(values).toHaveLength(account.variants.length)
})
