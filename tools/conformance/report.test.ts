import type { ConformanceResult } from '@posthaste/conformance'
import { memory } from '@posthaste/memory'
import { describe, expect, it } from 'vitest'
import { documentOf, failureReport, figuresText, fileText, textReport } from './report.ts'

const result: ConformanceResult = {
  engine: 'mine',
  capabilities: memory().capabilities,
  guarantees: [
    {
      id: 'G01',
      title: 'It holds',
      support: 'native',
      passed: true,
      figures: { cases: 3, messages: 5_000 },
      failures: [],
    },
    {
      id: 'G02',
      title: 'It does not',
      support: 'emulated',
      passed: false,
      figures: { cases: 1 },
      failures: [{ case: 'a/case', error: new Error('waited in vain') }],
    },
  ],
  mutants: [
    { name: 'caught', caughtBy: ['G01', 'G02'] },
    { name: 'survived', caughtBy: [] },
    { name: 'left-out', caughtBy: [], lacking: 'not declared: delay' },
  ],
}

describe('documentOf', () => {
  it('has what is kept of a run, and can be written as JSON', () => {
    const document = documentOf(result)
    expect(JSON.parse(JSON.stringify(document))).toEqual({
      engine: 'mine',
      guarantees: [
        { id: 'G01', title: 'It holds', support: 'native', passed: true, figures: { cases: 3, messages: 5_000 } },
        {
          id: 'G02',
          title: 'It does not',
          support: 'emulated',
          passed: false,
          figures: { cases: 1 },
          failures: ['a/case: waited in vain'],
        },
      ],
      mutants: [
        { name: 'caught', caughtBy: ['G01', 'G02'] },
        { name: 'survived', caughtBy: [] },
        { name: 'left-out', caughtBy: [], lacking: 'not declared: delay' },
      ],
    })
  })
})

describe('fileText', () => {
  it('has lists of ids in one line, and is the same document', () => {
    const document = documentOf(result)
    const text = fileText(document)
    expect(text).toContain('      "caughtBy": ["G01", "G02"]\n')
    expect(JSON.parse(text)).toEqual(JSON.parse(JSON.stringify(document)))
  })
})

describe('textReport', () => {
  it('tells people what holds, what does not and why, and which mutants got away', () => {
    expect(textReport(documentOf(result)).split('\n')).toEqual([
      'engine mine',
      '✓ G01  native    It holds  (3 cases, 5,000 messages)',
      '✗ G02  emulated  It does not  (1 case)',
      '      a/case: waited in vain',
      '1 of 2 guarantees hold',
      '1 of 2 mutants caught',
      '✗ the mutant survived was not found',
      '- left-out left out: not declared: delay',
    ])
  })
})

describe('a long failure', () => {
  it('is cut, and says so', () => {
    const lines = Array.from({ length: 60 }, (_, at) => `line ${at}`)
    const failures = [{ case: 'a/case', error: new Error(lines.join('\n')) }]
    const long = documentOf({ ...result, guarantees: result.guarantees.map((each) => ({ ...each, failures })) })
    for (const report of [textReport(long), failureReport([long])]) {
      expect(report).toContain('      line 39\n      … 20 more lines: --json has them')
      expect(report).not.toContain('line 40')
    }
  })
})

describe('figuresText', () => {
  it('counts one of a thing as one', () => {
    const figures = { cases: 1, messages: 1, crashes: 1, 'late replies': 1, duplicates: 0 }
    expect(figuresText(figures)).toBe('1 case, 1 message, 1 crash, 1 late reply, 0 duplicates')
  })

  it('puts units where they belong', () => {
    expect(figuresText({ cases: 2, 'late at most, ms': 12 })).toBe('2 cases, late at most 12 ms')
  })
})

describe('failureReport', () => {
  it('names every failure and every mutant that survived, with their engine, and nothing else', () => {
    expect(failureReport([documentOf(result)])?.split('\n')).toEqual([
      'What does not hold:',
      '✗ mine G02  a/case: waited in vain',
      '✗ mine  the mutant survived was not found',
    ])
  })

  it('says nothing where everything holds', () => {
    const held = { ...result, guarantees: result.guarantees.slice(0, 1), mutants: result.mutants.slice(0, 1) }
    expect(failureReport([documentOf(held)])).toBeUndefined()
  })
})
