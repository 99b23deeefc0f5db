import { posix } from 'node:path'
import type { ESTree } from 'vite'
import type { Source } from '../workspace/source.ts'

/** A symbol that users can import and that says nothing about itself. */
export interface Undocumented {
  readonly path: string
  readonly line: number
  readonly name: string
}

/** Finds files by path, and the entry behind the specifier of a sibling package. */
export interface SourceLookup {
  source(path: string): Source | undefined
  entry(specifier: string): string | undefined
}

interface Declared {
  readonly line: number
  readonly documented: boolean
}

type ExportTarget = { readonly from: string; readonly name: string } | { readonly local: string }

/** The undocumented symbols among those that an entry exports, followed through re-exports to their declarations. */
export function undocumentedExports(entry: string, lookup: SourceLookup): readonly Undocumented[] {
  const found = new Map<string, Undocumented>()
  const seen = new Set<string>()
  const follow = (path: string, name: string): void => {
    if (seen.has(`${path}#${name}`)) return
    seen.add(`${path}#${name}`)
    const source = lookup.source(path)
    if (!source) return
    const { exported, stars } = exportsOf(source)
    for (const [exportedName, target] of exported) {
      if (name !== '*' && name !== exportedName) continue
      const origin = 'local' in target ? imported(source, target.local) : target
      if (origin) {
        const next = resolve(path, origin.from, lookup)
        if (next) follow(next, origin.name)
      } else if ('local' in target) {
        const declared = declarationsOf(source).get(target.local) ?? []
        if (declared.some(({ documented }) => documented)) continue
        found.set(`${path}#${exportedName}`, { path, line: declared[0]?.line ?? 1, name: exportedName })
      }
    }
    for (const star of stars) {
      const next = resolve(path, star, lookup)
      if (next) follow(next, name)
    }
  }
  follow(entry, '*')
  return [...found.values()]
}

function resolve(path: string, specifier: string, lookup: SourceLookup): string | undefined {
  return specifier.startsWith('.') ? posix.join(posix.dirname(path), specifier) : lookup.entry(specifier)
}

function exportsOf(source: Source): { exported: Map<string, ExportTarget>; stars: readonly string[] } {
  const exported = new Map<string, ExportTarget>()
  const stars: string[] = []
  for (const node of source.program.body) {
    if (node.type === 'ExportAllDeclaration') {
      if (node.exported) exported.set(nameOf(node.exported), { from: node.source.value, name: '*' })
      else stars.push(node.source.value)
    } else if (node.type === 'ExportNamedDeclaration') {
      for (const name of node.declaration ? namesOf(node.declaration) : []) exported.set(name, { local: name })
      for (const { local, exported: name } of node.specifiers) {
        const target = node.source ? { from: node.source.value, name: nameOf(local) } : { local: nameOf(local) }
        exported.set(nameOf(name), target)
      }
    }
  }
  return { exported, stars }
}

/** Where a local name comes from when it is an import. */
function imported(source: Source, local: string): { from: string; name: string } | undefined {
  for (const node of source.program.body) {
    if (node.type !== 'ImportDeclaration') continue
    for (const specifier of node.specifiers) {
      if (specifier.local.name !== local) continue
      const name = specifier.type === 'ImportSpecifier' ? nameOf(specifier.imported) : '*'
      return { from: node.source.value, name }
    }
  }
  return undefined
}

/** All top-level declarations by name: overloads and merged declarations give several. */
function declarationsOf(source: Source): ReadonlyMap<string, readonly Declared[]> {
  const declared = new Map<string, Declared[]>()
  for (const statement of source.program.body) {
    const node = statement.type === 'ExportNamedDeclaration' ? statement.declaration : statement
    const names = node && isDeclaration(node) ? namesOf(node) : []
    const entry = { line: source.lineAt(statement.start), documented: hasDoc(source, statement.start) }
    for (const name of names) declared.set(name, [...(declared.get(name) ?? []), entry])
  }
  return declared
}

function hasDoc(source: Source, start: number): boolean {
  return source.comments.some(
    ({ type, value, end }) =>
      type === 'Block' && value.startsWith('*') && end <= start && source.text.slice(end, start).trim() === '',
  )
}

function isDeclaration(node: ESTree.Statement | ESTree.Declaration): node is ESTree.Declaration {
  return node.type === 'TSDeclareFunction' || (node.type.endsWith('Declaration') && !/^(Import|Export)/.test(node.type))
}

function namesOf(node: ESTree.Declaration): readonly string[] {
  if (node.type === 'VariableDeclaration') {
    return node.declarations.flatMap(({ id }) => (id.type === 'Identifier' ? [id.name] : []))
  }
  if (!('id' in node) || !node.id || node.id.type !== 'Identifier') return []
  return [node.id.name]
}

function nameOf(node: ESTree.ModuleExportName): string {
  return node.type === 'Literal' ? node.value : node.name
}
