import { describeEngine } from '@posthaste/conformance/vitest'
import { harness } from '../test/harness.ts'

describeEngine('redis', harness, { server: 'redis', randomRuns: 5 })
