import { existsSync, mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { runTorture } from './run.ts'

let scratchDir: string

beforeEach(() => {
  scratchDir = mkdtempSync(join(tmpdir(), 'posthaste-torture-'))
})
afterEach(() => {
  rmSync(scratchDir, { recursive: true, force: true })
})

/** One whose lives last for half a second each: on a busy machine the first messages take a while. */
const seed = 28

describe('the torture', () => {
  it('kills, drains and finds all well, and leaves nothing behind', async () => {
    const result = await runTorture({ kills: 2, seed, keep: false, scratchDir })
    expect(result.faults).toEqual([])
    expect(result).toMatchObject({ ok: true, kills: 2, lost: 0, kept: undefined })
    expect(result.lives).toBeGreaterThanOrEqual(5)
    expect(result.confirmed).toBeGreaterThan(0)
    const { batched, filtered, audited, live, ticks, otherFormats, temporaryGroups, requests, prepared } =
      result.features
    const counts = { batched, filtered, audited, live, ticks, otherFormats, temporaryGroups }
    expect(Object.entries(counts).filter(([, count]) => count === 0)).toEqual([])
    expect(Math.min(requests.sent, prepared.prepared, result.atMostOnce.handled)).toBeGreaterThan(0)
    expect(existsSync(join(scratchDir, 'compile-cache'))).toBe(true)
  })
})
