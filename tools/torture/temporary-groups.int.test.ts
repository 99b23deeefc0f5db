import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Engine, Topology } from '@posthaste/contracts'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { temporaryGroupsIn } from './temporary-groups.ts'

let runDir: string

beforeEach(() => {
  runDir = mkdtempSync(join(tmpdir(), 'posthaste-torture-'))
})
afterEach(() => {
  rmSync(runDir, { recursive: true, force: true })
})

const topology: Topology = {
  channels: [],
  groups: [
    { channel: 'a', group: 'stays', from: 'next' },
    { channel: 'a', group: 'goes', from: 'next', lifetime: 'temporary' },
  ],
}

describe('temporary groups', () => {
  it('are noted as they are declared, once each, for all lives', async () => {
    const declared: Topology[] = []
    const engine = { declare: async (given: Topology) => void declared.push(given) } as unknown as Engine
    const groups = temporaryGroupsIn(runDir)
    expect(groups.all()).toEqual([])
    await groups.watch(engine).declare(topology)
    await engine.declare(topology)
    expect(declared).toEqual([topology, topology])
    expect(temporaryGroupsIn(runDir).all()).toEqual([{ channel: 'a', group: 'goes' }])
  })
})
