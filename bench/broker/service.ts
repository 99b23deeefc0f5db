import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'

const program = join(import.meta.dirname, 'service-program.ts')

/** A broker in a process of its own. */
export interface Service {
  readonly url: string
  stop(): Promise<void>
}

/** Starts our broker with its data in a directory. It ends with this process, whatever becomes of it. */
export async function startService(dir: string): Promise<Service> {
  const child = spawn(process.execPath, ['--conditions=source', program, dir], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value: url, done } = await lines.next()
  if (done) throw new Error('our broker did not start')
  return {
    url: url as string,
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
