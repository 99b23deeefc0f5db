import { afterEach, beforeEach, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../../test/rig.ts'
import { drawn } from '../stories.ts'
import { asynchronous } from './story.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

it('every login gets its mail and its line in the log, waited for or published', async () => {
  const account = await asynchronous({ dir: rig.dir, seconds: 1 })
  expect(account.claims.filter(({ holds }) => !holds)).toEqual([])
  expect(account.charts.length > 0).toBe(drawn.has(account.story))
  for (const { values } of account.figures) expect(values).toHaveLength(account.variants.length)
})
