import { memory } from '@posthaste/memory'
import { describe, expect, it } from 'vitest'
import { allCases, namesOf } from '../conformance.ts'
import { guaranteesOf } from '../hunt.ts'
import { mutants } from '../mutants/mutants.ts'
import { areas, type Offer } from './guarantee.ts'
import { guarantees, isNamed } from './registry.ts'

const everything: Offer = memory()
/** What an engine offers that has nothing but the core of the interface. */
const nothing: Offer = {
  capabilities: {
    durability: 'none',
    bodyBytesMax: 1_024,
    headerBytesMax: 1_024,
    keyOrder: 'none',
    holdKey: 'none',
    delay: 'none',
    delayPrecisionMs: 0,
    atomicSettle: 'none',
    groupAddress: 'none',
    attempts: 'none',
    history: 'none',
    priorityLevels: 1,
    filter: 'none',
    patterns: 'none',
    temporaryGroups: 'none',
    deduplicateForMsMax: 0,
    leaseMs: Number.POSITIVE_INFINITY,
    unsettledMsMax: Number.POSITIVE_INFINITY,
    unsettledMax: 1,
  },
}
const ids = allCases().map(({ id }) => id)

describe('the registry of guarantees', () => {
  it('numbers them, each once, without a gap', () => {
    const numbers = guarantees.map(({ id }) => Number(id.slice(1))).sort((a, b) => a - b)
    expect(numbers).toEqual(numbers.map((_, at) => at + 1))
    expect(guarantees.filter(({ id }) => !/^G\d\d$/.test(id))).toEqual([])
  })

  it('leaves no area empty, and keeps those of one area together', () => {
    const byArea = guarantees.map(({ area }) => areas.indexOf(area))
    expect(byArea).toEqual([...byArea].sort((a, b) => a - b))
    expect([...new Set(byArea)]).toEqual(areas.map((_, at) => at))
  })

  it('says of each what is promised', () => {
    expect(guarantees.filter(({ promise }) => promise.length < 120 || !promise.endsWith('.'))).toEqual([])
    expect(new Set(guarantees.map(({ title }) => title)).size).toBe(guarantees.length)
  })

  it('has cases with ids of their own', () => {
    expect(new Set(ids).size).toBe(ids.length)
  })

  it('has every case belong to a guarantee', () => {
    expect(ids.filter((id) => guaranteesOf(id).length === 0)).toEqual([])
  })

  it('names no case that does not exist, and gives every guarantee one', () => {
    const names = guarantees.flatMap(({ cases, refusals }) => [...cases, ...refusals])
    expect(names.filter((name) => !ids.some((id) => isNamed(id, [name])))).toEqual([])
    expect(guarantees.filter(({ cases }) => cases.length === 0)).toEqual([])
  })

  it('shows the refusal of every guarantee that an engine may refuse', () => {
    const refused = guarantees.filter((guarantee) => guarantee.support(nothing) === 'refused')
    expect(refused.filter((guarantee) => namesOf(guarantee, nothing).length === 0)).toEqual([])
    expect(guarantees.filter((guarantee) => guarantee.support(everything) !== 'native')).toEqual([])
  })

  it('has a case about the fault of each mutant, by its id, and no mutant twice', () => {
    expect(mutants.filter(({ foundBy }) => !ids.includes(foundBy)).map(({ name }) => name)).toEqual([])
    expect(new Set(mutants.map(({ name }) => name)).size).toBe(mutants.length)
  })
})
