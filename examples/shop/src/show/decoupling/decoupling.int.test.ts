import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../../test/rig.ts'
import { drawn } from '../stories.ts'
import { decoupling } from './story.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

it('an inventory that is down stops the shop that asks it, and is caught up with by the one that tells it', async () => {
  const account = await decoupling({ dir: rig.dir, seconds: 1 })
  expect(account.claims.filter(({ holds }) => !holds)).toEqual([])
  expect(account.charts.length > 0).toBe(drawn.has(account.story))
  for (const { values } of account.figures) expect(values).toHaveLength(account.variants.length)
})
