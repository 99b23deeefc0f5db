import { spawnSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { snippetsIn } from './fences.ts'

const root = join(import.meta.dirname, '../..')
/** Below the workspace, so that imports resolve as they do in a project that installed the packages. */
const work = join(root, '.snippets')

const below = (folder: string): string[] =>
  readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' }).map((path) => `${folder}/${path}`)
const guides = existsSync(join(root, 'docs')) ? below('docs') : []
const readmes = ['packages', 'examples']
  .flatMap(below)
  .filter((path) => path.endsWith('/README.md') && !path.includes('/node_modules/'))
const documents = ['README.md', 'README.zh-CN.md', ...readmes, ...guides]
  .filter((path) => path.endsWith('.md') && existsSync(join(root, path)))
  .map((path) => ({ path, dir: join(work, path), snippets: snippetsIn(readFileSync(join(root, path), 'utf8')) }))

function node(args: readonly string[], cwd: string): { status: number | null; stdout: string; stderr: string } {
  return spawnSync(process.execPath, args, { cwd, encoding: 'utf8', timeout: 45_000 })
}

describe('snippets of the documents', () => {
  beforeAll(() => {
    rmSync(work, { recursive: true, force: true })
    for (const { dir, snippets } of documents) {
      mkdirSync(dir, { recursive: true })
      for (const { file, code } of snippets) writeFileSync(join(dir, file), code)
    }
  })
  afterAll(() => rmSync(work, { recursive: true, force: true }))

  if (!existsSync(join(root, 'README.md'))) {
    it('begin in README.md', ({ skip }) => skip('README.md is missing'))
  }

  const files = documents.flatMap(({ path, snippets }) => snippets.map(({ file }) => `${path}/${file}`))
  it.runIf(files.length > 0)('have correct types', () => {
    const compilerOptions = { noEmit: true, incremental: false, rewriteRelativeImportExtensions: false }
    const config = { extends: '../tsconfig.base.json', compilerOptions, files }
    writeFileSync(join(work, 'tsconfig.json'), JSON.stringify(config))
    const { status, stdout } = node([join(root, 'node_modules/typescript/bin/tsc'), '-p', '.'], work)
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })

  for (const { path, dir, snippets } of documents) {
    for (const { file, line, output } of snippets.filter(({ run }) => run)) {
      it(`run: ${path}:${line}`, () => {
        const cwd = mkdtempSync(join(tmpdir(), 'posthaste-snippet-'))
        try {
          const { status, stdout, stderr } = node(['--conditions=source', join(dir, file)], cwd)
          expect(status, stderr).toBe(0)
          if (output !== undefined) expect(stdout).toBe(output)
        } finally {
          rmSync(cwd, { recursive: true })
        }
      })
    }
  }
})
