import { type ESTree, parseSync } from 'vite'

/** A comment of a source file; `value` lacks its delimiters. */
export interface SourceComment {
  readonly type: 'Line' | 'Block'
  readonly value: string
  readonly start: number
  readonly end: number
}

/** A TypeScript file with its syntax tree. Offsets count UTF-16 units; lines begin at 1. */
export interface Source {
  readonly path: string
  readonly text: string
  readonly lines: readonly string[]
  readonly program: ESTree.Program
  readonly comments: readonly SourceComment[]
  lineAt(offset: number): number
}

/**
 * Parses one file. The parser is the one that vite transforms sources with, so tools and tests read the same language.
 * @throws Error when the text is no TypeScript; the message names path and position.
 */
export function parseSource(path: string, text: string): Source {
  const { program, comments, errors } = parseSync(path, text, { lang: 'ts', sourceType: 'module' })
  const starts = [0]
  for (let at = text.indexOf('\n'); at !== -1; at = text.indexOf('\n', at + 1)) starts.push(at + 1)
  const lineAt = (offset: number): number => {
    let low = 0
    let high = starts.length
    while (high - low > 1) {
      const middle = (low + high) >> 1
      if (starts[middle]! <= offset) low = middle
      else high = middle
    }
    return low + 1
  }
  const error = errors[0]
  if (error) throw new Error(`${path}:${lineAt(error.labels[0]?.start ?? 0)}: ${error.message}`)
  return { path, text, lines: text.split('\n'), program, comments, lineAt }
}

/** Files that test: they may reach for more than product code, and are not published. */
export function isTest(path: string): boolean {
  return /\.(test|test-d)\.ts$/.test(path) || /^packages\/(?:[^/]+\/)+test\//.test(path)
}
