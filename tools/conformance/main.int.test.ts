import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { ConformanceDocument } from './report.ts'

const root = join(import.meta.dirname, '../..')

function conformance(...args: readonly string[]) {
  const main = join(import.meta.dirname, 'main.ts')
  const env = { ...process.env, INIT_CWD: root }
  return spawnSync(process.execPath, ['--conditions=source', main, ...args], { cwd: root, env, encoding: 'utf8' })
}

describe('npm run conformance', () => {
  it('prints a document for machines, and nothing else, and ends well when everything holds', () => {
    const { status, stdout } = conformance('--engine', 'memory', '--only', 'G05,G49', '--json')
    const document = JSON.parse(stdout) as ConformanceDocument
    expect(document).toMatchObject({ engine: 'memory', mutants: [] })
    expect(document.guarantees.map(({ id, support, passed }) => [id, support, passed])).toEqual([
      ['G05', 'native', true],
      ['G49', 'native', true],
    ])
    expect(status).toBe(0)
  })

  it('runs a harness from wherever it is, and several engines one after the other', () => {
    const engines = ['--engine', 'memory', '--engine', 'examples/engine/test/harness.ts']
    const { status, stdout } = conformance(...engines, '--only', 'G05', '--json')
    expect((JSON.parse(stdout) as ConformanceDocument[]).map(({ engine }) => engine)).toEqual(['memory', 'small'])
    expect(status).toBe(0)
  })

  it('ends with 1, and says what went wrong, when a guarantee does not hold', () => {
    const { status, stdout } = conformance('--engine', 'tools/conformance/fixtures/hides-drift.ts', '--only', 'G05')
    expect(stdout).toMatch(/✗ G05.*\n\s+topology\/drift: drift of kind is reported/)
    expect(status).toBe(1)
  })

  it('ends with 2 when it is called wrongly, or there is no such engine', () => {
    expect(conformance('--engin', 'memory')).toMatchObject({ status: 2, stdout: '' })
    expect(conformance('--engine', 'nosuchengine')).toMatchObject({ status: 2, stdout: '' })
    expect(conformance('--engine', 'memory', '--only', 'G999')).toMatchObject({ status: 2, stdout: '' })
  })
})
