import { describe, expect, it } from 'vitest'
import type { FaultDocument } from '../faults/report.ts'
import { faultsText } from './fault-table.ts'

const run: FaultDocument = {
  ...{ engine: 'redis', serverVersion: '7.0', seed: 1, sound: true, confirmed: 7_000, lost: 0, handled: 7_010 },
  ...{
    duplicates: 10,
    republished: 9,
    orderViolations: 0,
    attemptsRepeated: 1,
    attemptsReset: 0,
    twiceAtOnce: 0,
    deadLetters: 5,
  },
  requests: { answered: 20, failed: 1 },
  faults: [
    { kind: 'cut', tookMs: 1, firstMs: 20, fullMs: 1_500 },
    { kind: 'cut', tookMs: 1, firstMs: 30, fullMs: 40 },
    { kind: 'kill', tookMs: 400, firstMs: 800, fullMs: null },
  ],
}

describe('faultsText', () => {
  it('shows what was lost, and the longest recovery of each kind', () => {
    const text = faultsText([run, { ...run, engine: 'nats', lost: 2, faults: [] }])
    expect(text).toContain('| figure | redis 7.0 | nats 7.0 |')
    expect(text).toContain('| **lost** | **0** | **2** |')
    expect(text).toContain('| connections cut | 30 ms / 1,500 ms | not run |')
    expect(text).toContain('| server killed (`SIGKILL`) and started again | 800 ms / never | not run |')
  })

  it('says so where nothing is kept', () => {
    expect(faultsText([])).toBe('No run is kept.')
  })
})
