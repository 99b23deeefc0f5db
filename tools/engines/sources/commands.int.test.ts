import { chmodSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { run } from './command.ts'
import { findExecutable } from './path.ts'

describe('a command', () => {
  it('gives what it said', async () => {
    const options = { env: { WORD: 'hello' } }
    expect(await run([process.execPath, '--eval', 'console.log(process.env.WORD)'], options)).toBe('hello\n')
  })

  it('that fails is told with the end of what it said', async () => {
    const code = `console.log('x'.repeat(9000)); console.error('no space left'); process.exitCode = 3`
    const failure = await run([process.execPath, '--eval', code]).catch((error: Error) => error.message)
    expect(failure).toMatch(/ended with 3:\nx+\nno space left$/)
    expect(failure.length).toBeLessThan(2_500)
  })

  it('that does not exist is refused', async () => {
    await expect(run(['no-such-command-anywhere'])).rejects.toThrow(/ENOENT/)
  })
})

describe('an executable', () => {
  let dir: string

  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'engine-path-'))
  })

  afterEach(() => rmSync(dir, { recursive: true }))

  it('is the first on the PATH that is a file and may be executed', () => {
    for (const name of ['a', 'b', 'c']) mkdirSync(join(dir, name))
    mkdirSync(join(dir, 'a/posthaste-server'))
    writeFileSync(join(dir, 'b/posthaste-server'), '')
    writeFileSync(join(dir, 'c/posthaste-server'), '')
    chmodSync(join(dir, 'c/posthaste-server'), 0o755)
    const path = ['a', '', 'b', 'none', 'c'].map((name) => (name ? join(dir, name) : '')).join(':')
    expect(findExecutable('posthaste-server', path)).toBe(join(dir, 'c/posthaste-server'))
  })

  it('is missing where there is none', () => {
    expect(findExecutable('posthaste-server', dir)).toBeUndefined()
  })
})
