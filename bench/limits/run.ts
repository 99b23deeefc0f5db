import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import type { Figures, StepContext } from './steps.ts'

const worker = join(import.meta.dirname, 'worker.ts')

/**
 * Does one step in a process of its own.
 * @throws Error when the process fails
 */
export async function run(step: string, context: StepContext & Readonly<Record<string, unknown>>): Promise<Figures> {
  const args = ['--conditions=source', worker, step, JSON.stringify(context)]
  const child = spawn(process.execPath, args, { stdio: ['ignore', 'pipe', 'inherit'] })
  let output = ''
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    output += text
  })
  const [code] = await once(child, 'close')
  if (code !== 0) throw new Error(`the step '${step}' ended with ${code}`)
  return JSON.parse(output) as Figures
}
