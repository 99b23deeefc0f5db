import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { guarantees, offerOf, supportOf } from '@posthaste/conformance'
import { mutants } from '@posthaste/conformance/mutants'
import { describe, expect, it } from 'vitest'
import { keptRuns, written } from './documentation.ts'
import { loadHarness, whatIsMissing } from './engines.ts'

const docs = join(import.meta.dirname, '../../docs')
const page = readFileSync(join(docs, 'guarantees.md'), 'utf8')
const kept = keptRuns(join(docs, 'guarantees'))
const runs = kept.conformance

describe('docs/guarantees.md', () => {
  it('says what the registry and the results beside it say', () => {
    expect(written(page, kept)).toBe(page)
  })

  it('has the runs of both engines that are built in', () => {
    expect(runs.map(({ engine }) => engine)).toEqual(expect.arrayContaining(['embedded', 'memory']))
  })

  it.for(runs)(
    'shows a run of $engine that has every guarantee, as its engine supports it today',
    async (run, { skip }) => {
      const missing = whatIsMissing(run.engine)
      if (missing !== undefined) skip(missing)
      const offers = await offerOf(await loadHarness(run.engine, '.'))
      expect(run.guarantees.map(({ id, title, support }) => ({ id, title, support }))).toEqual(
        guarantees.map((guarantee) => ({
          id: guarantee.id,
          title: guarantee.title,
          support: supportOf(guarantee, offers),
        })),
      )
    },
  )

  it.each(runs)('shows a run of $engine in which everything held and every mutant was caught', (run) => {
    expect(run.guarantees.filter(({ passed }) => !passed)).toEqual([])
    expect(run.mutants.map(({ name }) => name)).toEqual(mutants.map(({ name }) => name))
    expect(run.mutants.filter(({ caughtBy, lacking }) => caughtBy.length === 0 && lacking === undefined)).toEqual([])
  })

  it('shows runs with faults in which nothing was lost, reordered or handed out twice, and everything recovered', () => {
    expect(kept.faults.filter(({ sound, lost }) => !sound || lost > 0)).toEqual([])
  })

  it('is found stale when a title changes', () => {
    const [first] = guarantees
    expect(page).toContain(`**${first?.id}. ${first?.title}.**`)
    const other = page.replace(`**${first?.id}. ${first?.title}.**`, `**${first?.id}. Something else.**`)
    expect(written(other, kept)).not.toBe(other)
  })

  it('must have its markers', () => {
    expect(() => written('# A page', kept)).toThrow(/no part between/)
  })
})
