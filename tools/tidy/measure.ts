import { type ESTree, Visitor, type VisitorObject } from 'vite'
import type { Source } from '../workspace/source.ts'

/** One function with its extent in lines, nested functions included. */
export interface FunctionSize {
  readonly path: string
  readonly name: string
  readonly line: number
  readonly lines: number
}

/** The distribution of one measure. */
export interface Spread {
  readonly median: number
  readonly p90: number
  readonly max: number
}

/** The functions of a file that have a body, named by what they are assigned to where that is near. */
export function functionsOf(source: Source): readonly FunctionSize[] {
  const names = new Map<number, string>()
  const found: { start: number; end: number; name?: string }[] = []
  const remember = (value: { start: number } | null, key: ESTree.Node): void => {
    if (value && (key.type === 'Identifier' || key.type === 'PrivateIdentifier')) names.set(value.start, key.name)
  }
  const visitor: VisitorObject = {
    VariableDeclarator: (node) => remember(node.init, node.id),
    Property: (node) => remember(node.value, node.key),
    PropertyDefinition: (node) => remember(node.value, node.key),
    MethodDefinition: (node) => remember(node.value, node.key),
    ArrowFunctionExpression: (node) => void found.push(node),
    FunctionDeclaration: (node) => void found.push({ ...node, name: node.id?.name ?? 'default' }),
    FunctionExpression: (node) => void found.push({ ...node, ...(node.id ? { name: node.id.name } : {}) }),
  }
  new Visitor(visitor).visit(source.program)
  return found.map(({ start, end, name }) => ({
    path: source.path,
    name: name ?? names.get(start) ?? 'a function',
    line: source.lineAt(start),
    lines: source.lineAt(end) - source.lineAt(start) + 1,
  }))
}

/** How many lines a file has, a newline at its end not opening another. */
export function lineCount(source: Source): number {
  return source.lines.length - (source.text.endsWith('\n') ? 1 : 0)
}

/** How many lines of a file a comment touches. */
export function commentLines(source: Source): number {
  const lines = new Set<number>()
  for (const { start, end } of source.comments) {
    for (let line = source.lineAt(start); line <= source.lineAt(end); line += 1) lines.add(line)
  }
  return lines.size
}

/** Nearest-rank median, 90th percentile and maximum; zeros when there is nothing to measure. */
export function spreadOf(values: readonly number[]): Spread {
  const sorted = [...values].sort((a, b) => a - b)
  const rank = (share: number): number => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? 0
  return { median: rank(0.5), p90: rank(0.9), max: rank(1) }
}
