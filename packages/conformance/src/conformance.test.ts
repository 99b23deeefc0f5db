import type { Engine } from '@posthaste/contracts'
import { memory } from '@posthaste/memory'
import { describe, expect, it } from 'vitest'
import { memoryHarness } from '../test/memory-harness.ts'
import { type ConformanceResult, isConformant, offerOf, runConformance } from './conformance.ts'
import { guarantees } from './guarantees/registry.ts'
import { changed } from './mutants/changes.ts'

const byTitle = (title: string): string => guarantees.find((each) => each.title === title)?.id ?? 'none'
const declaring = byTitle('Declaring does no harm')
const lag = byTitle('Lag is told per group')
const batches = byTitle('Every record of a batch has its own outcome')

describe('runConformance', () => {
  it('shows which guarantees hold, how, and what was measured', async () => {
    const lines: string[] = []
    const result = await runConformance(memoryHarness(), {
      only: [declaring, lag],
      onProgress: (line) => lines.push(line),
    })
    expect(result).toMatchObject({ engine: 'memory', mutants: [] })
    expect(result.guarantees.map(({ id, support, passed }) => ({ id, support, passed }))).toEqual([
      { id: declaring, support: 'native', passed: true },
      { id: lag, support: 'native', passed: true },
    ])
    const cases = result.guarantees.reduce((sum, { figures }) => sum + (figures.cases ?? 0), 0)
    expect(lines).toHaveLength(cases)
    expect(isConformant(result)).toBe(true)
  })

  it('fails a guarantee with what went wrong, case by case', async () => {
    const silent = memoryHarness((engine) =>
      changed(engine, { publish: async (records) => records.map(() => ({ ok: true })) }),
    )
    const result = await runConformance(silent, { only: [batches], patienceMs: 100 })
    expect(result.guarantees).toMatchObject([{ id: batches, passed: false }])
    expect(result.guarantees[0]?.failures.map((failure) => failure.case)).toContain('publish/outcome-per-record')
    expect(isConformant(result)).toBe(false)
  })

  it('runs what failed beside others again, alone, and counts that', async () => {
    const silent = { publish: async (records: readonly unknown[]) => records.map(() => ({ ok: true }) as const) }
    let made = 0
    // One for the offer, and so many fail as there are cases.
    const recovering = memoryHarness((engine) => changed(engine, ++made < 5 ? silent : {}))
    const once = await runConformance({ ...recovering, parallel: 4 }, { only: [batches], patienceMs: 100 })
    expect(once.guarantees).toMatchObject([{ passed: true }])
    expect(once.guarantees[0]?.figures.repeated).toBeGreaterThan(0)

    const hopeless = memoryHarness((engine) => changed(engine, silent))
    const twice = await runConformance({ ...hopeless, parallel: 4 }, { only: [batches], patienceMs: 100 })
    expect(twice.guarantees).toMatchObject([{ passed: false }])
  })

  it('runs the refusal of what is not declared, in place of its cases', async () => {
    const blind = memoryHarness((engine) => {
      const { lag: _, ...rest } = changed(engine, {})
      return rest
    })
    const result = await runConformance(blind, { only: [lag] })
    expect(result.guarantees).toMatchObject([{ support: 'refused', passed: true, figures: { cases: 1 } }])
  })

  it('fails what is neither declared nor refused', async () => {
    // It says that it has no temporary groups, and makes them.
    const careless = memoryHarness((engine) =>
      changed(engine, { capabilities: { ...engine.capabilities, temporaryGroups: 'none' } } as Partial<Engine>),
    )
    const id = byTitle('A temporary group goes with its last member')
    const result = await runConformance(careless, { only: [id] })
    expect(result.guarantees).toMatchObject([{ support: 'refused', passed: false }])
    expect(result.guarantees[0]?.failures.map((failure) => failure.case)).toEqual(['undeclared/temporary'])
  })

  it('fails a guarantee of which nothing could run', () => {
    const nothing: ConformanceResult = {
      engine: 'none',
      capabilities: memory().capabilities,
      guarantees: [{ id: 'G01', title: '', support: 'native', passed: false, figures: { cases: 0 }, failures: [] }],
      mutants: [],
    }
    expect(isConformant(nothing)).toBe(false)
  })

  it('fails where a mutant survives, and not where one was left out', () => {
    const base = { engine: 'none', capabilities: memory().capabilities, guarantees: [] }
    expect(isConformant({ ...base, mutants: [{ name: 'a', caughtBy: ['G01'] }] })).toBe(true)
    expect(isConformant({ ...base, mutants: [{ name: 'a', caughtBy: [] }] })).toBe(false)
    expect(isConformant({ ...base, mutants: [{ name: 'a', caughtBy: [], lacking: 'delay' }] })).toBe(true)
  })
})

describe('runConformance, wrongly called', () => {
  it('names the guarantees that do not exist', async () => {
    await expect(runConformance(memoryHarness(), { only: ['G01', 'G999'] })).rejects.toThrow(/no guarantee G999/)
  })
})

describe('offerOf', () => {
  it('tells what an engine offers, and leaves nothing behind', async () => {
    let cleanups = 0
    const sound = memoryHarness()
    const { name, offer } = await offerOf({
      async create() {
        const underTest = await sound.create()
        const cleanup = async () => {
          cleanups += 1
        }
        return { ...underTest, engine: underTest.engine, cleanup }
      },
    })
    expect(name).toBe('memory')
    expect(offer.capabilities).toEqual(memory().capabilities)
    expect(offer.lag).toBeDefined()
    expect(cleanups).toBe(1)
  })
})
