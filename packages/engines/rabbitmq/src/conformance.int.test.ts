import { describeEngine } from '@posthaste/conformance/vitest'
import { harness } from '../test/harness.ts'

describeEngine('rabbitmq', harness, { server: 'rabbitmq', randomRuns: 5 })
