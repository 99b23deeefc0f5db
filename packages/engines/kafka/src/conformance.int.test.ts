import { describeEngine } from '@posthaste/conformance/vitest'
import { expect, it } from 'vitest'
import { harness } from '../test/harness.ts'

describeEngine('kafka', harness, { server: 'kafka' })

it('is shown on several installations at a time', () => {
  expect(harness.parallel).toBeGreaterThan(1)
})
