import { mkdirSync, mkdtempSync, readdirSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { processStart, runningServer } from '@posthaste/conformance/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { folder } from './folder.ts'
import { type EngineState, readState, removeState, runs, writeState } from './state.ts'

let root: string
const mine = { pid: process.pid, start: processStart(process.pid) ?? '' }

beforeEach(() => {
  root = mkdtempSync(join(tmpdir(), 'engine-state-'))
})

afterEach(() => rmSync(root, { recursive: true }))

function stateWith(processes: EngineState['processes']): EngineState {
  const at = { url: 'redis://127.0.0.1:1', ports: { main: 1 }, dir: root, logFile: join(root, 'log') }
  const since = { pid: process.pid, processes, startedAt: '2026-01-01T00:00:00.000Z' }
  return { name: 'redis', engine: 'redis', version: '7.0.15', ...at, ...since, password: 'secret' }
}

describe('what is kept about a server', () => {
  it('is read as it was written, by the user alone, and nothing else is left', () => {
    writeState(root, stateWith([mine]))
    expect(readState(root, 'redis')).toEqual(stateWith([mine]))
    expect(statSync(join(root, 'redis.json')).mode & 0o777).toBe(0o600)
    expect(readdirSync(root)).toEqual(['redis.json'])
  })

  it('is nothing where there is no file, a damaged one, or none any more', () => {
    expect(readState(root, 'redis')).toBeUndefined()
    writeFileSync(join(root, 'redis.json'), '{ "name":')
    expect(readState(root, 'redis')).toBeUndefined()
    writeState(root, stateWith([mine]))
    removeState(root, 'redis')
    removeState(root, 'redis')
    expect(readState(root, 'redis')).toBeUndefined()
  })

  it('says that a server runs only while all its processes are those that were started', () => {
    expect(runs(stateWith([mine]))).toBe(true)
    expect(runs(stateWith([mine, { ...mine, start: 'earlier' }]))).toBe(false)
  })

  it('is found by tests', () => {
    const dir = join(root, '.cache/engines')
    // The same folder below a workspace that these tools use.
    expect(folder()).toMatch(/\.cache\/engines$/)
    writeFileSync(join(root, 'package.json'), '{ "workspaces": [] }')
    expect(runningServer('redis', { env: {}, fromDir: root })).toBeUndefined()
    mkdirSync(dir, { recursive: true })
    writeState(dir, stateWith([mine]))
    expect(runningServer('redis', { env: {}, fromDir: root })).toMatchObject({ url: 'redis://127.0.0.1:1' })
  })
})
