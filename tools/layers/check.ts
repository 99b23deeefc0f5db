import { isBuiltin } from 'node:module'
import { posix } from 'node:path'
import type { ImportSite } from '../workspace/imports.ts'
import { isTest } from '../workspace/source.ts'
import { packageOf, type Workspace, type WorkspacePackage } from '../workspace/workspace.ts'
import { cyclesOf } from './cycles.ts'
import { type Layer, layers } from './layers.ts'

/** What a violation breaks; each rule is proved to bite by a test. */
export type LayerRule =
  | 'no-layer'
  | 'direction'
  | 'portable'
  | 'internals'
  | 'barrel'
  | 'undeclared'
  | 'unresolved'
  | 'cycle'
  | 'imports-test'

/** One import that breaks a rule; `line` is 0 where the whole file is meant. */
export interface LayerViolation {
  readonly file: string
  readonly line: number
  readonly rule: LayerRule
  readonly message: string
}

/** The imports of every file, and the packages they are resolved against. */
export interface LayerInput extends Pick<Workspace, 'packages' | 'devDependencies'> {
  readonly imports: ReadonlyMap<string, readonly ImportSite[]>
}

type Verdict = { readonly target: string } | { readonly rule: LayerRule; readonly message: string } | undefined

/** Holds the import graph against the layers. Pure: reads no file. */
export function checkLayers(input: LayerInput): readonly LayerViolation[] {
  const violations: LayerViolation[] = []
  const graph = new Map<string, string[]>()
  for (const [file, sites] of input.imports) {
    if (!layerOf(file)) {
      violations.push({
        file,
        line: 0,
        rule: 'no-layer',
        message: 'stands in no layer: move it, or add a row to layers.ts',
      })
    }
    const targets: string[] = []
    graph.set(file, targets)
    for (const { specifier, line } of sites) {
      const resolved = resolve(input, file, specifier)
      if (!resolved) continue
      const broken = 'rule' in resolved ? resolved : judge(input, file, { specifier, ...resolved })
      if ('target' in resolved) targets.push(resolved.target)
      if (broken) violations.push({ file, line, ...broken })
    }
  }
  for (const cycle of cyclesOf(graph)) {
    const message = `import each other: ${cycle.join(', ')}`
    violations.push({ file: cycle[0]!, line: 0, rule: 'cycle', message })
  }
  return violations
}

function layerOf(file: string): Layer | undefined {
  return layers.find(({ at }) => at.some((prefix) => file.startsWith(prefix)))
}

/** The file behind a specifier, the rule that it breaks on its own, or nothing for an allowed import from outside. */
function resolve(input: LayerInput, file: string, specifier: string): Verdict {
  const own = packageOf(input, file)
  if (specifier.startsWith('.')) return resolveRelative(input, file, specifier)
  if (isBuiltin(specifier)) {
    const layer = layerOf(file)
    if (isTest(file) || !layer?.portable) return undefined
    return { rule: 'portable', message: `imports ${specifier}, but ${layer.name} runs on every runtime` }
  }
  const name = packageName(specifier)
  const sibling = input.packages.find((candidate) => candidate.name === name)
  if (name !== own?.name && !isDeclared(input, file, name)) {
    const manifest = own ? `${own.dir}/package.json` : 'package.json'
    return { rule: 'undeclared', message: `imports ${name}, which ${manifest} does not declare` }
  }
  if (!sibling) return undefined
  const target = sibling.entries.get(specifier)
  if (target === undefined) {
    return { rule: 'internals', message: `imports ${specifier}, which ${name} does not export` }
  }
  return { target }
}

function resolveRelative(input: LayerInput, file: string, specifier: string): Verdict {
  const target = posix.join(posix.dirname(file), specifier)
  const home = packageOf(input, target)
  if (home !== packageOf(input, file) && home) {
    return { rule: 'internals', message: `reaches into ${home.dir} by path: import what ${home.name} exports` }
  }
  if (!target.endsWith('.ts')) return undefined
  if (!input.imports.has(target)) return { rule: 'unresolved', message: `imports ${specifier}, which does not exist` }
  if (home && isEntry(home, target)) {
    return { rule: 'barrel', message: `imports ${specifier}, an entry for others: import the file that declares it` }
  }
  return { target }
}

function isEntry(home: WorkspacePackage, target: string): boolean {
  return posix.basename(target) === 'index.ts' || [...home.entries.values()].includes(target)
}

/** Sibling packages need no declaration in tests and tools: the workspace links them all. */
function isDeclared(input: LayerInput, file: string, name: string): boolean {
  const own = packageOf(input, file)
  if (own?.dependencies.has(name)) return true
  const mayUseRoot = isTest(file) || own === undefined || own.isPrivate
  if (!mayUseRoot) return false
  if (input.devDependencies.has(name) || own?.devDependencies.has(name)) return true
  return (isTest(file) || own === undefined) && input.packages.some((candidate) => candidate.name === name)
}

function judge(
  input: LayerInput,
  file: string,
  { specifier, target }: { specifier: string; target: string },
): { rule: LayerRule; message: string } | undefined {
  if (isTest(file)) return undefined
  if (isTest(target)) return { rule: 'imports-test', message: `imports ${specifier}, a test` }
  const from = layerOf(file)
  const to = layerOf(target)
  if (!from || !to || from.imports.includes(to.name)) return undefined
  if (from === to && packageOf(input, file) === packageOf(input, target)) return undefined
  return { rule: 'direction', message: `${from.name} imports ${to.name} (${specifier}), but ${from.because}` }
}

function packageName(specifier: string): string {
  const parts = specifier.split('/')
  return specifier.startsWith('@') ? parts.slice(0, 2).join('/') : parts[0]!
}
