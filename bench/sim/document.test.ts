import { describe, expect, it } from 'vitest'
import { contestants } from './contestants.ts'
import { documentOf, type Row, rowOf, tableOf, worseIn } from './document.ts'
import type { Figures } from './figures.ts'

const figures: Figures = {
  successShare: 0.5,
  p50Ms: 40.4,
  p99Ms: null,
  amplification: [1.111, 2],
  amplificationTotal: 2.2222,
  recoveryMs: 1_000,
  goodputShare: 0.951,
}
const row = (contestant: string, change: Partial<Row> = {}): Row => ({ ...rowOf(contestant, [figures]), ...change })

describe('the document', () => {
  it('has medians, and the slowest recovery beside them', () => {
    const runs = [figures, { ...figures, successShare: 0.9, recoveryMs: 4_000 }, { ...figures, successShare: 0.7 }]
    expect(rowOf('ours', runs)).toEqual({
      contestant: 'ours',
      successShare: 0.7,
      p50Ms: 40,
      p99Ms: null,
      amplification: [1.11, 2],
      amplificationTotal: 2.22,
      recoveryMs: 1_000,
      recoveryMsMax: 4_000,
      goodputShare: 0.95,
    })
    const never = [figures, { ...figures, recoveryMs: null }, { ...figures, recoveryMs: null }]
    expect(rowOf('ours', never)).toMatchObject({ recoveryMs: null, recoveryMsMax: null })
  })

  it('names every figure in which somebody is better than ours, and no other', () => {
    const rows = [
      row('none', { successShare: 0.7, p50Ms: 30, p99Ms: 500, recoveryMs: 900 }),
      row('ours', { amplificationTotal: 1 }),
    ]
    expect(worseIn([{ name: 'outage', what: '', compared: 'ours', rows }])).toEqual([
      { scenario: 'outage', figure: 'success', compared: 'ours', ours: '50 %', better: { none: '70 %' } },
      { scenario: 'outage', figure: 'p50', compared: 'ours', ours: '40 ms', better: { none: '30 ms' } },
    ])
  })

  it('compares in the variant that a scenario is about, and never ours with ours', () => {
    const rows = [row('none'), row('ours', { recoveryMs: 0 }), row('ours + limit', { recoveryMs: null })]
    expect(worseIn([{ name: 'overload', what: '', compared: 'ours + limit', rows }])).toEqual([
      {
        scenario: 'overload',
        figure: 'time to recover',
        compared: 'ours + limit',
        ours: 'never',
        better: { none: '1 s' },
      },
    ])
  })

  it('holds the figures against the goals, and prints all of it', () => {
    const scenario = (name: string, ours: Row) => ({
      name,
      what: 'it is down',
      compared: ours.contestant,
      rows: [row('none'), ours],
    })
    const results = [
      scenario('outage', row('ours', { amplificationTotal: 0.1, recoveryMsMax: 12_000 })),
      scenario('overload', row('ours + limit', { goodputShare: 0.95 })),
    ]
    const document = documentOf(results, { seeds: 1, contestants })
    expect(document.goals.map(({ case: name, met }) => [name, met])).toEqual([
      ['outage, ours: attempts per call', true],
      ['outage, ours: time to recover, with the worst seed', false],
      ['overload, ours + limit: goodput, of the capacity', true],
    ])
    const text = tableOf(document)
    expect(text).toContain('outage: it is down')
    expect(text).toMatch(/ours +50\.0 % +40 ms +- +1\.11 2\.00 = 0\.10 +1\.0 s +12\.0 s +0\.95\n/)
    expect(text).toMatch(/time to recover.* 12 s {2}MISSED: at most 10 s/)
  })
})
