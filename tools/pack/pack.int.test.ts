import { execFileSync, spawnSync } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { publint } from 'publint'
import { formatMessage } from 'publint/utils'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { build } from '../build/build.ts'
import { readWorkspace } from '../workspace/workspace.ts'
import { npm, type Packed, packAll } from './pack.ts'

const workspace = readWorkspace(join(import.meta.dirname, '../..'))
const published = workspace.packages.filter(({ isPrivate }) => !isPrivate)
const specifiers = published.flatMap(({ entries }) => [...entries.keys()])

describe('the packed packages, installed in an empty project', () => {
  const dir = mkdtempSync(join(tmpdir(), 'posthaste-consumer-'))
  let packed: readonly Packed[] = []
  const run = (args: readonly string[]): string => execFileSync(process.execPath, args, { cwd: dir, encoding: 'utf8' })

  beforeAll(() => {
    build(workspace)
    packed = packAll(workspace, join(dir, 'tarballs'))
    const manifest = {
      name: 'consumer',
      private: true,
      type: 'module',
      dependencies: Object.fromEntries(packed.map(({ name, tarball }) => [name, `file:${tarball}`])),
      allowScripts: { lmdb: true, 'msgpackr-extract': true },
    }
    writeFileSync(join(dir, 'package.json'), JSON.stringify(manifest))
    npm(['install', '--prefer-offline', '--no-audit', '--no-fund', '--loglevel=error'], dir)
  }, 240_000)

  afterAll(() => rmSync(dir, { recursive: true, force: true }))

  it('answer an import of every entry from their compiled files', () => {
    const program = `
      for (const specifier of ${JSON.stringify(specifiers)}) {
        const names = Object.keys(await import(specifier))
        console.log(specifier, import.meta.resolve(specifier).includes('/dist/'), names.includes('default'))
      }`
    writeFileSync(join(dir, 'program.js'), program)
    const expected = specifiers.map((specifier) => `${specifier} true false\n`).join('')
    expect(run(['program.js'])).toBe(expected)
    expect(run(['--conditions=source', 'program.js'])).toBe(expected)
  })

  it('type-check in strict mode, their declarations included', () => {
    const imports = specifiers.map((specifier, at) => `import * as entry${at} from '${specifier}'\nvoid entry${at}\n`)
    writeFileSync(join(dir, 'consumer.ts'), imports.join(''))
    const compilerOptions = {
      target: 'es2024',
      module: 'nodenext',
      strict: true,
      noEmit: true,
      skipLibCheck: false,
      typeRoots: [join(workspace.root, 'node_modules/@types')],
      types: ['node'],
    }
    writeFileSync(join(dir, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['consumer.ts'] }))
    const tsc = join(workspace.root, 'node_modules/typescript/bin/tsc')
    // What it found is what a failure is to show.
    const { stdout, status } = spawnSync(process.execPath, [tsc, '-p', '.'], { cwd: dir, encoding: 'utf8' })
    expect(stdout).toBe('')
    expect(status).toBe(0)
  })

  it('hold no tests and no build state, and satisfy publint', async () => {
    expect(packed.map(({ name }) => name)).toEqual(published.map(({ name }) => name))
    for (const { name, tarball } of packed) {
      const { messages, pkg } = await publint({ pkgDir: join(dir, 'node_modules', name), strict: true, pack: false })
      expect(messages.map((message) => formatMessage(message, pkg))).toEqual([])
      const listed = execFileSync('tar', ['-tzf', tarball], { encoding: 'utf8' }).split('\n')
      expect(listed.filter((path) => /\.test\.|\.test-d\.|tsbuildinfo/.test(path))).toEqual([])
      expect(listed).toContain('package/LICENSE')
    }
  })
})
