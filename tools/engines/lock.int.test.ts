import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { processStart } from '@posthaste/conformance/server'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { withLock } from './lock.ts'

let dir: string

beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'engine-lock-'))
})

afterEach(() => rmSync(dir, { recursive: true }))

describe('the lock', () => {
  it('lets one work after the other', async () => {
    const history: string[] = []
    const work = (name: string) => async () => {
      history.push(`${name} begins`)
      await sleep(20)
      history.push(`${name} ends`)
    }
    await Promise.all([withLock(dir, work('a')), withLock(dir, work('b'))])
    expect(history).toEqual(['a begins', 'a ends', 'b begins', 'b ends'])
  })

  it('is given back when the work fails', async () => {
    const failing = withLock(dir, () => Promise.reject(new Error('no luck')))
    await expect(failing).rejects.toThrow('no luck')
    expect(await withLock(dir, async () => 'done')).toBe('done')
    expect(existsSync(join(dir, 'lock'))).toBe(false)
  })

  it('names who holds it', async () => {
    const held = await withLock(dir, async () => readFileSync(join(dir, 'lock'), 'utf8'))
    expect(JSON.parse(held)).toEqual({ pid: process.pid, start: processStart(process.pid) })
  })

  it('is taken over from a process that has ended', async () => {
    writeFileSync(join(dir, 'lock'), JSON.stringify({ pid: process.pid, start: 'earlier' }))
    expect(await withLock(dir, async () => 'done')).toBe('done')
  })
})
