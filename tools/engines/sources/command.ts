import { spawn } from 'node:child_process'
import { once } from 'node:events'
import process from 'node:process'

/** What a command is called with. */
export interface CommandOptions {
  readonly env?: Readonly<Record<string, string>> | undefined
  readonly cwd?: string | undefined
}

/** How much of the output an error tells: its end, where the reason is. */
const charsMax = 2_000

/**
 * Runs a command to its end and gives what it said.
 * @throws Error with the end of its output when it fails
 */
export async function run(argv: readonly [string, ...string[]], options: CommandOptions = {}): Promise<string> {
  const [command, ...args] = argv
  const child = spawn(command, args, {
    cwd: options.cwd,
    env: { ...process.env, ...options.env },
    stdio: ['ignore', 'pipe', 'pipe'],
  })
  let output = ''
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
  }
  const [code, signal] = (await once(child, 'close')) as [number | null, string | null]
  if (code === 0) return output
  throw new Error(`${argv.join(' ')} ended with ${code ?? signal}:\n${output.slice(-charsMax).trim()}`)
}
