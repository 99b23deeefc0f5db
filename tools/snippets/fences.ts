/** A fenced `ts` block of a document, and what a test does with it beyond checking its types. */
export interface Snippet {
  /** The line of the opening fence, from 1. */
  readonly line: number
  /** Its file name: `file=…` of the fence, so that later snippets can import it, or its line. */
  readonly file: string
  readonly code: string
  /** Whether the fence says `run`. */
  readonly run: boolean
  /** What running it prints: the `text output` block that follows it, when there is one. */
  readonly output?: string
}

interface Fence {
  readonly line: number
  readonly info: readonly string[]
  readonly code: string
}

/**
 * Reads the `ts` blocks of a Markdown text. Others, and those of other languages, are left alone.
 * @throws Error when a fence is not closed, when two snippets have one name, or when an output follows nothing that runs.
 */
export function snippetsIn(markdown: string): readonly Snippet[] {
  const snippets: Snippet[] = []
  for (const { line, info, code } of fencesIn(markdown)) {
    if (info[0] === 'ts') {
      const file = info.find((word) => word.startsWith('file='))?.slice('file='.length) ?? `line-${line}.ts`
      if (snippets.some((other) => other.file === file)) throw new Error(`line ${line}: a second snippet named ${file}`)
      snippets.push({ line, file, code, run: info.includes('run') })
    } else if (info[0] === 'text' && info.includes('output')) {
      const last = snippets.pop()
      if (!last?.run || last.output !== undefined) throw new Error(`line ${line}: output of no snippet that runs`)
      snippets.push({ ...last, output: code })
    }
  }
  return snippets
}

function fencesIn(markdown: string): readonly Fence[] {
  const fences: Fence[] = []
  let open: { line: number; mark: string; info: readonly string[]; code: string[] } | undefined
  for (const [index, text] of markdown.split('\n').entries()) {
    const [, mark, info] = /^ {0,3}(`{3,}|~{3,})\s*([^`]*)$/.exec(text) ?? []
    if (!open) {
      if (mark !== undefined) open = { line: index + 1, mark, info: info!.trim().split(/\s+/), code: [] }
    } else if (mark?.startsWith(open.mark) && info === '') {
      fences.push({ line: open.line, info: open.info, code: `${open.code.join('\n')}\n` })
      open = undefined
    } else open.code.push(text)
  }
  if (open) throw new Error(`line ${open.line}: the fence is not closed`)
  return fences
}
