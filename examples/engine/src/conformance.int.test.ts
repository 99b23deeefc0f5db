import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ConformanceResult, runConformance } from '@posthaste/conformance'
import { beforeAll, describe, expect, it } from 'vitest'
import { harness } from '../test/harness.ts'

describe('the small engine', () => {
  let result: ConformanceResult
  beforeAll(async () => {
    result = await runConformance(harness, { mutants: false })
  }, 120_000)

  it('keeps or refuses every guarantee, as it says', () => {
    expect(result.guarantees.flatMap(({ failures }) => failures)).toEqual([])
    expect(result.guarantees.filter(({ passed }) => !passed).map(({ id }) => id)).toEqual([])
  })

  it('has groups, credit, settlements and attempts, and refuses what takes more than that', () => {
    const titles = (support: string) =>
      result.guarantees.filter((each) => each.support === support).map(({ title }) => title)
    expect(titles('native')).toEqual(
      expect.arrayContaining(['Every group sees every event', 'Attempts are counted, over crashes too']),
    )
    expect(titles('emulated')).toEqual(expect.arrayContaining(['A filter hands out what a group wants']))
    expect(titles('refused')).toEqual(
      expect.arrayContaining([
        'Same key, same order',
        'A delay is durable, and never short',
        'A group can be replayed',
      ]),
    )
  })

  it('has fewer than 200 lines', () => {
    const source = readFileSync(join(import.meta.dirname, 'engine.ts'), 'utf8')
    expect(source.trimEnd().split('\n').length).toBeLessThan(200)
  })
})
