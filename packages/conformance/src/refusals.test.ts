import type { Engine, EngineCapabilities } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { memoryHarness } from '../test/memory-harness.ts'
import { refusalSuite } from './bus-suite.ts'
import type { Offer } from './guarantees/guarantee.ts'
import { changed } from './mutants/changes.ts'
import { runCase } from './run.ts'

/** What an engine does not have. */
interface Lack {
  readonly can?: Partial<EngineCapabilities>
  readonly part?: Exclude<keyof Offer, 'capabilities'>
}

/** By case: the one thing that it must find missing. */
const lacks: Readonly<Record<string, Lack>> = {
  'refused/key-order': { can: { keyOrder: 'none' } },
  'refused/hold-key': { can: { holdKey: 'none' } },
  'refused/ladder': { can: { delay: 'none' } },
  'refused/breaker': { can: { delay: 'none' } },
  'refused/delay': { can: { delay: 'none' } },
  'refused/cancel': { part: 'scheduling' },
  'refused/attempts': { can: { attempts: 'none' } },
  'refused/history': { can: { history: 'none' } },
  'refused/browse': { part: 'browsing' },
  'refused/redrive': { can: { groupAddress: 'none' } },
  'refused/lag': { part: 'lag' },
  'refused/seek': { part: 'seeking' },
  'refused/patterns': { can: { patterns: 'none' }, part: 'patterns' },
  'refused/temporary': { can: { temporaryGroups: 'none' } },
  'refused/broadcast': { can: { temporaryGroups: 'none' } },
  'refused/deduplication': { can: { deduplicateForMsMax: 0 } },
  'refused/priorities': { can: { priorityLevels: 1 } },
  'refused/prepare': { part: 'preparing' },
  'refused/recurring': { can: { delay: 'none' } },
  'refused/request': { can: { temporaryGroups: 'none' } },
}

function without(engine: Engine, { can = {}, part }: Lack): Engine {
  const rest = changed(engine, {})
  if (part !== undefined) Reflect.deleteProperty(rest, part)
  return { ...rest, capabilities: { ...engine.capabilities, ...can } }
}

describe('refusalSuite', () => {
  it.each(refusalSuite())('holds where that one thing is missing: $title', async (testCase) => {
    const lack = lacks[testCase.id]
    expect(lack).toBeDefined()
    const outcome = await runCase(
      testCase,
      memoryHarness((engine) => without(engine, lack ?? {})),
    )
    if (outcome.status === 'failed') throw outcome.error
    expect(outcome.status).toBe('passed')
  })

  it.each(refusalSuite())('fails where everything is done: $title', async (testCase) => {
    const { status } = await runCase({ ...testCase, lacks: undefined }, memoryHarness())
    expect(status).toBe('failed')
  })

  it.each(refusalSuite())('is left out where everything is done: $title', async (testCase) => {
    expect((await runCase(testCase, memoryHarness())).status).toBe('skipped')
  })
})
