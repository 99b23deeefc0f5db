import { describeEngine } from '@posthaste/conformance/vitest'
import { expect, it } from 'vitest'
import { durableInstallation } from '../test/installation.ts'

describeEngine('embedded', { create: durableInstallation })

it('skips no case for want of a capability', async () => {
  const underTest = await durableInstallation()
  const { scheduling, browsing, lag, capabilities } = underTest.engine
  expect([scheduling, browsing, lag]).not.toContain(undefined)
  expect(Object.values(capabilities)).not.toContain('none')
  await underTest.engine.close()
  await underTest.cleanup()
})
