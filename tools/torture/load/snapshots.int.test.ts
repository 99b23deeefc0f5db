import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { snapshotsDirOf, wholeSnapshots } from './snapshots.ts'

let runDir: string

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'posthaste-torture-'))
})
afterEach(() => {
  rmSync(runDir, { recursive: true, force: true })
})

function snapshot(name: string, ...files: readonly string[]): void {
  const dir = join(snapshotsDirOf(runDir), name)
  mkdirSync(dir, { recursive: true })
  for (const file of files) writeFileSync(join(dir, file), '')
}

describe('snapshots of a run', () => {
  it('are none at first', () => {
    expect(wholeSnapshots(runDir)).toEqual([])
  })

  it('count when they are whole, and in the order of lives', () => {
    snapshot('10', 'data.mdb')
    snapshot('9', 'data.mdb')
    snapshot('11', 'incomplete')
    snapshot('12')
    expect(wholeSnapshots(runDir)).toEqual(['9', '10'])
  })
})
