import { execFileSync } from 'node:child_process'
import { cpSync, existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { isTest } from '../workspace/source.ts'
import type { Workspace, WorkspacePackage } from '../workspace/workspace.ts'
import { type Manifest, publishedManifest } from './manifest.ts'

/** A tarball as it would be published. */
export interface Packed {
  readonly name: string
  readonly tarball: string
}

/** Packs every published package into `into`, from what was built last. Nothing in the workspace changes. */
export function packAll(workspace: Workspace, into: string): readonly Packed[] {
  mkdirSync(into, { recursive: true })
  return workspace.packages
    .filter(({ isPrivate }) => !isPrivate)
    .map((home) => ({ name: home.name, tarball: pack(workspace.root, home, into) }))
}

function pack(root: string, home: WorkspacePackage, into: string): string {
  const stage = mkdtempSync(join(tmpdir(), 'posthaste-pack-'))
  try {
    const from = join(root, home.dir)
    cpSync(join(from, 'dist'), join(stage, 'dist'), { recursive: true })
    cpSync(join(from, 'src'), join(stage, 'src'), { recursive: true, filter: (path) => !isTest(path) })
    cpSync(join(root, 'LICENSE'), join(stage, 'LICENSE'))
    const readme = [join(from, 'README.md'), join(root, 'README.md')].find((path) => existsSync(path))
    if (readme) cpSync(readme, join(stage, 'README.md'))
    const manifest = JSON.parse(readFileSync(join(from, 'package.json'), 'utf8')) as Manifest
    writeFileSync(join(stage, 'package.json'), `${JSON.stringify(publishedManifest(manifest), null, 2)}\n`)
    const output = npm(['pack', '--json', '--pack-destination', into], stage)
    return join(into, (JSON.parse(output) as [{ filename: string }])[0].filename)
  } finally {
    rmSync(stage, { recursive: true })
  }
}

/**
 * Runs npm without the settings it hands to its scripts, so that it behaves as in a shell of its own.
 * @throws Error when npm fails; what it said stands on stderr.
 */
export function npm(args: readonly string[], cwd: string): string {
  const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('npm_')))
  return execFileSync('npm', args, { cwd, env, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}
