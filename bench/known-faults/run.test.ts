import { describe, expect, it } from 'vitest'
import { documentOf, isThere, tableOf } from './document.ts'
import type { FaultCase } from './kit.ts'
import { type CaseFindings, cases, runCase } from './run.ts'

/** What each has, of the versions that are installed: c for cockatiel, o for opossum; ours has none, and its prices. */
const known: Readonly<Record<string, string>> = {
  'failures from before an idle hour': 'c',
  'a single failure opens': 'o',
  'calls that are under way dilute': 'o',
  'calls that a bulkhead refuses count': 'o',
  'the timeout of one call aborts': 'o',
  'callers wait for the probe': 'c',
  'all callers are let go at the callee at once': 'c',
  'a success of a call from before it opened': 'o',
  'a failure of a call from before it opened': 'c o',
  'a probe that hangs': 'c o',
  'a caller’s own mistake, which says nothing': 'c o',
  'one lucky probe': 'o',
  'what waits for a place waits for ever': 'c',
  'a caller who gave up is not told so': 'c',
  'a caller who gave up keeps a place': 'c',
  'the end of a call’s time gives its place away while the work runs on, where the limit stands inside': 'c o',
  'a caller who gives up while a retry waits': 'c',
  'another attempt is made after the caller gave up': 'c',
  'another attempt is made after the time for the whole call': 'c',
  'three services that try three times': 'c',
  'callers are refused while a probe is out': 'ours o',
  'of many calls that fail together': 'ours',
}

const knownOf = ({ name }: FaultCase): string =>
  Object.entries(known).find(([begins]) => name.startsWith(begins))?.[1] ?? ''

describe('a fault that resilience libraries were found to have', () => {
  it.each(cases.filter(({ timed }) => timed !== true))('$name', async (one) => {
    const { findings } = await runCase(one)
    expect('hasFault' in findings.ours, 'ours must run').toBe(true)
    const having = [
      ...(isThere(findings.ours) ? ['ours'] : []),
      ...(isThere(findings.cockatiel) ? ['c'] : []),
      ...(isThere(findings.opossum) ? ['o'] : []),
    ]
    expect(having.join(' ')).toBe(knownOf(one))
  })
})

describe('the document of known faults', () => {
  const versions = { ours: '1', cockatiel: '2', opossum: '3' }
  const found: CaseFindings = {
    name: 'it leaks',
    theme: 'retry',
    found: 'somewhere',
    findings: { ours: { hasFault: false }, cockatiel: { hasFault: true }, opossum: { doesNotApply: 'has no retry' } },
  }

  it('adds up who has how many', () => {
    expect(documentOf([found, found], versions).totals).toEqual({
      ours: { faults: 0, prices: 0, doNotApply: 0 },
      cockatiel: { faults: 2, prices: 0, doNotApply: 0 },
      opossum: { faults: 0, prices: 0, doNotApply: 2 },
    })
  })

  it('does not take a price for a fault', () => {
    const { totals } = documentOf([{ ...found, theme: 'price' }], versions)
    expect(totals.cockatiel).toEqual({ faults: 0, prices: 1, doNotApply: 0 })
  })

  it('is a table for people, with why a case does not apply', () => {
    const table = tableOf(documentOf([found], versions))
    expect(table).toMatch(/^- +HAS IT +n\/a +retry: it leaks$/m)
    expect(table).toContain('opossum has no retry')
  })
})
