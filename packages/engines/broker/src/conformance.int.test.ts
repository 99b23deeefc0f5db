import { describeEngine } from '@posthaste/conformance/vitest'
import { expect, it } from 'vitest'
import { harness } from '../test/harness.ts'
import { promised } from './features.ts'

describeEngine('broker', harness, { server: 'broker', randomRuns: 5 })

it('has everything but filters, which the core has', () => {
  const lacking = Object.entries(promised).filter(([, value]) => value === 'none')
  expect(lacking).toEqual([['filter', 'none']])
})
