import { describeEngine } from '@posthaste/conformance/vitest'
import { expect, it } from 'vitest'
import { harness } from '../test/harness.ts'
import { rabbitmq } from './engine.ts'

describeEngine('rabbitmq', harness, { server: 'rabbitmq', randomRuns: 5 })

it('lacks what quorum queues do not have, and what the core has', () => {
  const { capabilities } = rabbitmq({ url: 'amqp://127.0.0.1' })
  const lacking = Object.entries(capabilities).flatMap(([name, value]) => (value === 'none' ? [name] : []))
  expect(lacking).toEqual(['holdKey', 'atomicSettle', 'history', 'filter', 'patterns'])
})
