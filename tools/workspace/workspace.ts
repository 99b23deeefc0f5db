import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'

/** A package of the workspace; every path is relative to the workspace and uses `/`. */
export interface WorkspacePackage {
  readonly name: string
  readonly dir: string
  readonly isPrivate: boolean
  /** What others may import, as they write it, to the source file that answers. */
  readonly entries: ReadonlyMap<string, string>
  readonly dependencies: ReadonlySet<string>
  readonly devDependencies: ReadonlySet<string>
}

/** The packages and TypeScript files below one root. */
export interface Workspace {
  readonly root: string
  readonly packages: readonly WorkspacePackage[]
  /** The root package's development dependencies: what tests and tools may import. */
  readonly devDependencies: ReadonlySet<string>
  readonly files: readonly string[]
}

interface Manifest {
  readonly name: string
  readonly private?: boolean
  readonly workspaces?: readonly string[]
  readonly exports?: Readonly<Record<string, string | { readonly source?: string }>>
  readonly dependencies?: Readonly<Record<string, string>>
  readonly peerDependencies?: Readonly<Record<string, string>>
  readonly devDependencies?: Readonly<Record<string, string>>
}

/** Folders of a package that bring dependencies of their own, which are installed when they are needed. */
const installedApart = ['bench/rpc/peers']

function withApart(root: string, each: WorkspacePackage): WorkspacePackage {
  const apart = installedApart.filter((dir) => dir.startsWith(`${each.dir}/`))
  const more = apart.flatMap((dir) => Object.keys(readManifest(root, dir).dependencies ?? {}))
  return more.length === 0 ? each : { ...each, dependencies: new Set([...each.dependencies, ...more]) }
}

const generated = new Set(['node_modules', 'dist', 'coverage'])

/** Reads manifests and file names; opens no source. */
export function readWorkspace(root: string): Workspace {
  const manifest = readManifest(root, '.')
  const packages = (manifest.workspaces ?? [])
    .flatMap((pattern) => expand(root, pattern))
    .map((dir) => withApart(root, toPackage(readManifest(root, dir), dir)))
  const files = ['packages', 'examples', 'bench', 'tools'].flatMap((dir) => walk(root, dir)).sort()
  return { root, packages, devDependencies: new Set(Object.keys(manifest.devDependencies ?? {})), files }
}

/** The package a file belongs to; tools belong to none. */
export function packageOf(workspace: Pick<Workspace, 'packages'>, file: string): WorkspacePackage | undefined {
  return workspace.packages.find(({ dir }) => file.startsWith(`${dir}/`))
}

function toPackage(manifest: Manifest, dir: string): WorkspacePackage {
  const entries = new Map<string, string>()
  for (const [subpath, target] of Object.entries(manifest.exports ?? {})) {
    if (typeof target === 'string' || target.source === undefined) continue
    entries.set(manifest.name + subpath.slice(1), `${dir}/${target.source.slice(2)}`)
  }
  return {
    name: manifest.name,
    dir,
    isPrivate: manifest.private ?? false,
    entries,
    dependencies: new Set([
      ...Object.keys(manifest.dependencies ?? {}),
      ...Object.keys(manifest.peerDependencies ?? {}),
    ]),
    devDependencies: new Set(Object.keys(manifest.devDependencies ?? {})),
  }
}

function readManifest(root: string, dir: string): Manifest {
  return JSON.parse(readFileSync(join(root, dir, 'package.json'), 'utf8')) as Manifest
}

/** `dir` stands for itself, `dir/*` for its folders: no other pattern is in use. */
function expand(root: string, pattern: string): readonly string[] {
  if (!pattern.endsWith('/*')) return [pattern]
  const dir = pattern.slice(0, -2)
  return (
    readdirSync(join(root, dir), { withFileTypes: true })
      .filter((entry) => entry.isDirectory())
      .map((entry) => `${dir}/${entry.name}`)
      // As npm does: a folder without a manifest, such as an example in another language, is no package.
      .filter((folder) => existsSync(join(root, folder, 'package.json')))
  )
}

function walk(root: string, dir: string): readonly string[] {
  return readdirSync(join(root, dir), { withFileTypes: true }).flatMap((entry) => {
    const path = `${dir}/${entry.name}`
    if (entry.isDirectory()) return generated.has(entry.name) || entry.name.startsWith('.') ? [] : walk(root, path)
    return entry.name.endsWith('.ts') && !entry.name.endsWith('.d.ts') ? [path] : []
  })
}
