import type { Engine } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { memoryHarness } from '../test/memory-harness.ts'
import { allCases } from './conformance.ts'
import { guaranteesOf, hunt, type Quarry } from './hunt.ts'
import { changed } from './mutants/changes.ts'
import { mutants } from './mutants/mutants.ts'
import { runCase } from './run.ts'

const passed = { outcome: { status: 'passed', figures: {} }, tookMs: 1 } as const

/** What mutants are hunted with: some cases, all of which a sound engine has passed. */
function quarry(ids: readonly string[], given = memoryHarness()): Quarry {
  const cases = allCases().filter(({ id }) => ids.includes(id))
  return { harness: given, cases, outcomes: new Map(ids.map((id) => [id, passed])), settings: {} }
}

describe('mutants', () => {
  it.each(mutants)('$name is found by the case that is about it, which a sound engine passes', async (mutant) => {
    const { foundBy } = mutant
    const testCase = allCases().find(({ id }) => id === foundBy)
    expect(testCase && (await runCase(testCase, memoryHarness()))).toMatchObject({ status: 'passed' })
    const result = await hunt(mutant, quarry([foundBy]))
    expect(result).toEqual({ name: mutant.name, caughtBy: guaranteesOf(foundBy) })
    expect(result.caughtBy).not.toEqual([])
  })
})

describe('hunt', () => {
  const harmless = { name: 'harmless', fault: 'does nothing', foundBy: 'publish/delivered', mutate: (e: Engine) => e }

  it('lets an engine survive that does nothing wrong', async () => {
    const result = await hunt(harmless, quarry(['publish/delivered', 'publish/nothing', 'settle/twice']))
    expect(result).toEqual({ name: 'harmless', caughtBy: [] })
  })

  it('leaves out what cannot show, and says why', async () => {
    const without = memoryHarness((engine) =>
      changed(engine, { capabilities: { ...engine.capabilities, delay: 'none' } } as Partial<Engine>),
    )
    const result = await hunt({ ...harmless, needs: ['delay'] }, quarry(['publish/delivered'], without))
    expect(result).toEqual({ name: 'harmless', caughtBy: [], lacking: 'not declared: delay' })
  })

  it('believes no case that a sound engine has failed', async () => {
    const broken = { ...harmless, mutate: (engine: Engine) => changed(engine, { publish: async () => [] }) }
    const failed = { outcome: { status: 'failed', error: new Error('as well') }, tookMs: 1 } as const
    const given = { ...quarry(['publish/delivered']), outcomes: new Map([['publish/delivered', failed]]) }
    expect(await hunt(broken, given)).toEqual({ name: 'harmless', caughtBy: [] })
  })

  it('believes no case that the sound engine fails beside it', async () => {
    let runs = 0
    const flaky = memoryHarness((engine) => {
      runs += 1
      return runs === 1 ? engine : changed(engine, { publish: async () => [] })
    })
    const result = await hunt(harmless, { ...quarry(['publish/delivered']), harness: flaky })
    expect(result).toEqual({ name: 'harmless', caughtBy: [] })
    expect(runs).toBe(3)
  })

  it('is wrong after a restart and a crash as before', async () => {
    const seen: string[] = []
    const counting = {
      ...harmless,
      foundBy: 'attempts/settled-before-crash',
      mutate(engine: Engine) {
        seen.push(engine.name)
        return engine
      },
    }
    await hunt(counting, quarry(['attempts/settled-before-crash', 'publish/survives-restart']))
    expect(seen.length).toBeGreaterThanOrEqual(4)
  })
})
