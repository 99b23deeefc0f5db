import { spawn } from 'node:child_process'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import process from 'node:process'
import { fileURLToPath } from 'node:url'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { makeRig, type Rig } from '../../test/rig.ts'
import type { Account } from './account.ts'

let rig: Rig
beforeEach(async () => {
  rig = await makeRig()
})
afterEach(() => rig.close())

describe('npm run shop:show', () => {
  const program = fileURLToPath(new URL('main.ts', import.meta.url))

  function show(...args: string[]): Promise<{ code: number | null; stdout: string; stderr: string }> {
    const env = { ...process.env, INIT_CWD: rig.dir }
    const child = spawn(process.execPath, ['--conditions=source', program, ...args], { env })
    let [stdout, stderr] = ['', '']
    child.stdout.setEncoding('utf8').on('data', (text: string) => (stdout += text))
    child.stderr.setEncoding('utf8').on('data', (text: string) => (stderr += text))
    return new Promise((resolve) => child.on('close', (code) => resolve({ code, stdout, stderr })))
  }

  it('prints an account as JSON, and draws', async () => {
    const { code, stdout } = await show('decoupling', '--seconds', '1', '--json', '--svg', 'plot.svg')
    expect(code).toBe(0)
    expect((JSON.parse(stdout) as Account).variants).toEqual(['asking', 'telling'])
    expect(await readFile(join(rig.dir, 'plot.svg'), 'utf8')).toMatch(/^<svg .*<polyline /s)
  })

  it.each([
    [[], 'tell one story at a time'],
    [['peak', 'order'], 'tell one story at a time'],
    [['toString'], "there is no story 'toString'"],
    [['order', '--svg', 'plot.svg'], 'the story of order draws no chart'],
    [['peak', '--seconds', 'long'], '--seconds must be a whole number'],
    [['peak', '--loud'], "Unknown option '--loud'"],
  ])('%j is refused with %s, and the usage', async (args, text) => {
    const { code, stderr } = await show(...args)
    expect(code).toBe(1)
    expect(stderr).toContain(text)
    expect(stderr).toContain('usage: npm run shop:show')
  })
})
