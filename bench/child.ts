import { spawn } from 'node:child_process'
import { basename } from 'node:path'
import process from 'node:process'

/**
 * What a program of this workspace prints, run in a process of its own: clients of different libraries make each other
 * slower in one. Its standard input stays open while this process lives.
 *
 * @throws Error when it ends otherwise than well, or not in time
 */
export function outputOf(program: string, args: readonly string[], msMax = Number.POSITIVE_INFINITY): Promise<string> {
  return new Promise((resolve, reject) => {
    const node = ['--conditions=source', program, ...args]
    const child = spawn(process.execPath, node, { stdio: ['pipe', 'pipe', 'inherit'] })
    const timer = Number.isFinite(msMax) ? setTimeout(() => child.kill('SIGKILL'), msMax) : undefined
    let output = ''
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      output += text
    })
    child.once('error', reject)
    child.once('close', (code, signal) => {
      clearTimeout(timer)
      if (code === 0) resolve(output)
      else reject(new Error(`${basename(program)} ended with ${signal ?? code}`))
    })
  })
}
