import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { prune } from './build.ts'

describe('prune', () => {
  let dir = ''
  const write = (path: string): void => {
    mkdirSync(join(dir, path, '..'), { recursive: true })
    writeFileSync(join(dir, path), '')
  }

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'posthaste-prune-'))
  })
  afterEach(() => rmSync(dir, { recursive: true }))

  it('deletes the outputs of deleted sources and nothing else', () => {
    for (const path of ['src/a.ts', 'src/bus/b.ts']) write(path)
    const kept = ['a.js', 'a.js.map', 'a.d.ts', 'a.d.ts.map', 'bus/b.js', '.tsbuildinfo']
    const gone = ['old.js', 'old.js.map', 'old.d.ts', 'bus/a.d.ts.map']
    for (const path of [...kept, ...gone]) write(`dist/${path}`)

    expect([...prune(join(dir, 'dist'), join(dir, 'src'))].sort()).toEqual([...gone].sort())

    const left = readdirSync(join(dir, 'dist'), { recursive: true, encoding: 'utf8' }).filter((path) => path !== 'bus')
    expect(left.sort()).toEqual([...kept].sort())
  })
})
