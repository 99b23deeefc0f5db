import { type Engine, type EngineCapabilities, PosthasteError } from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { EngineHarness } from '../harness.ts'
import { changed } from '../mutants/changes.ts'
import type { Need } from '../needs.ts'
import { runCase } from '../run.ts'
import { engineSuite } from '../suite.ts'
import { undeclared } from './undeclared.ts'

const modest = {
  priorityLevels: 1,
  deduplicateForMsMax: 0,
  filter: 'none',
  temporaryGroups: 'none',
  patterns: 'none',
} as const satisfies Partial<EngineCapabilities>

/** Declares nothing beyond the core of the interface, and does it all the same. */
const ignoring = (engine: Engine): Engine => changed(engine, { capabilities: { ...engine.capabilities, ...modest } })

const unsupported = () => new PosthasteError('CAPABILITY_UNSUPPORTED', 'it cannot')

/** Declares nothing beyond the core of the interface, and refuses it. */
function refusing(engine: Engine): Engine {
  const { patterns: _, ...rest } = changed(engine, {
    capabilities: { ...engine.capabilities, ...modest },
    async declare(topology) {
      const asked = topology.channels.some((spec) => (spec.priorities ?? 1) > 1 || spec.deduplicateForMs !== undefined)
      if (asked || topology.groups.some(({ lifetime }) => lifetime === 'temporary')) throw unsupported()
      return engine.declare(topology)
    },
    async subscribe(spec, sink) {
      if (spec.filter !== undefined) throw unsupported()
      return engine.subscribe(spec, sink)
    },
  })
  return rest
}

function harness(change: (engine: Engine) => Engine): EngineHarness {
  return {
    async create() {
      const clock = manualClock()
      const engine = change(memory({ store: memoryStore() }))
      const host = { clock, log: console, instance: 'x', random: () => 0, onState: () => {} }
      await engine.open(host)
      const never = () => Promise.reject(new Error('it is not restarted'))
      return { engine, host, restart: never, advance: (ms) => clock.advance(ms), cleanup: async () => {} }
    },
  }
}

const optional: readonly Need[] = ['filter', 'patterns', 'temporaryGroups', 'deduplication', 'priorities']

describe('what an engine does not declare', () => {
  it.each(undeclared)('must be refused, or is found: $title', async (testCase) => {
    expect((await runCase(testCase, harness(refusing))).status).toBe('passed')
    expect((await runCase(testCase, harness(ignoring))).status).toBe('failed')
  })

  it('is not asked for by any other case', async () => {
    const cases = engineSuite().filter(({ needs = [] }) => needs.some((need) => optional.includes(need)))
    expect(cases.length).toBeGreaterThan(50)
    for (const testCase of cases) expect((await runCase(testCase, harness(refusing))).status).toBe('skipped')
  })
})
