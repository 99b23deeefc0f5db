import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../../test/rig.ts'
import { drawn } from '../stories.ts'
import { peak } from './story.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

it('a burst turns customers away where they are paid for at once, and is paid to the last where they queue', async () => {
  const account = await peak({ dir: rig.dir, seconds: 0.2 })
  expect(account.claims.filter(({ holds }) => !holds)).toEqual([])
  expect(account.charts.length > 0).toBe(drawn.has(account.story))
  for (const { values } of account.figures) expect(values).toHaveLength(account.variants.length)
})
