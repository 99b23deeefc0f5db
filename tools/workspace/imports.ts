import { type ESTree, Visitor } from 'vite'
import type { Source } from './source.ts'

/** One module specifier as a file writes it; type-only ones count like all others. */
export interface ImportSite {
  readonly specifier: string
  readonly line: number
}

/** Every import, re-export, dynamic import of a literal and `import('…')` type of a file, in the order of the text. */
export function importsOf(source: Source): readonly ImportSite[] {
  const sites: { specifier: string; start: number }[] = []
  const add = (node: ESTree.StringLiteral | null): void => {
    if (node) sites.push({ specifier: node.value, start: node.start })
  }
  new Visitor({
    ImportDeclaration: (node) => add(node.source),
    ExportNamedDeclaration: (node) => add(node.source),
    ExportAllDeclaration: (node) => add(node.source),
    TSImportType: (node) => add(node.source),
    ImportExpression(node) {
      if (node.source.type === 'Literal' && typeof node.source.value === 'string') {
        sites.push({ specifier: node.source.value, start: node.source.start })
      }
    },
  }).visit(source.program)
  return sites
    .sort((a, b) => a.start - b.start)
    .map(({ specifier, start }) => ({ specifier, line: source.lineAt(start) }))
}
