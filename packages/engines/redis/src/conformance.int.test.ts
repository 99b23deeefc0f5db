import { describeEngine } from '@posthaste/conformance/vitest'
import { expect, it } from 'vitest'
import { harness } from '../test/harness.ts'
import { capabilitiesWith } from './features.ts'

describeEngine('redis', harness, { server: 'redis', randomRuns: 5 })

it('has everything but filters, which the core has', () => {
  const lacking = Object.entries(capabilitiesWith('disk')).filter(([, value]) => value === 'none')
  expect(lacking).toEqual([['filter', 'none']])
})
