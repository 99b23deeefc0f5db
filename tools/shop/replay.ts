import { type ChildProcess, spawn } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'

const program = join(import.meta.dirname, '../../examples/shop/src/replay/main.ts')

/** How a replay is to run. */
export interface Replay {
  /** Where the shop keeps its state. */
  readonly dir: string
  /** The server that carries its messages. */
  readonly engineUrl: string
  /** Told of every line of its progress. */
  readonly onLine?: (child: ChildProcess, count: number) => void
}

/** How a replay ended. */
export interface ReplayEnd {
  readonly code: number | null
  readonly signal: NodeJS.Signals | null
  /** What it printed: the books, at the end. */
  readonly stdout: string
  readonly stderr: string
}

/** Runs the shop's replay of its sample in a process of its own. */
export function replay({ dir, engineUrl, onLine }: Replay): Promise<ReplayEnd> {
  const child = spawn(process.execPath, ['--conditions=source', program, '--data', dir, '--engine', engineUrl])
  const lines: string[] = []
  let stdout = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text
  })
  createInterface({ input: child.stderr }).on('line', (line) => {
    lines.push(line)
    onLine?.(child, lines.length)
  })
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve({ code, signal, stdout, stderr: lines.join('\n') }))
  })
}
