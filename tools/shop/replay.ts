import { type ChildProcess, spawn } from 'node:child_process'
import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'

const shop = join(import.meta.dirname, '../../examples/shop')
const program = join(shop, 'src/replay/main.ts')

/** How a replay is to run. */
export interface Replay {
  /** Where the shop keeps its state. */
  readonly dir: string
  /** The server that carries its messages. */
  readonly engineUrl: string
  /** The orders. Default: the sample that comes with the shop. */
  readonly file?: string
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

/** Writes the sample's orders and returns under other numbers, which begin with this digit and not with 7. */
export function writeOtherOrders(file: string, digit: number): void {
  const sample = readFileSync(join(shop, 'sample/orders.csv'), 'utf8')
  writeFileSync(
    file,
    sample.replaceAll(/^(C?)7(\d{5};)/gm, (_, kind: string, rest: string) => `${kind}${digit}${rest}`),
  )
}

/** Runs the shop's replay in a process of its own. */
export function replay({ dir, engineUrl, file, onLine }: Replay): Promise<ReplayEnd> {
  const options = ['--data', dir, '--engine', engineUrl]
  const files = file === undefined ? [] : [file]
  const child = spawn(process.execPath, ['--conditions=source', program, ...files, ...options])
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
