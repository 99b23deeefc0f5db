import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'

const program = join(import.meta.dirname, 'service-program.ts')

/** A broker in a process of its own. */
export interface Service {
  readonly url: string
  /** Where it tells its figures; undefined where its configuration has none. */
  readonly healthUrl: string | undefined
  readonly pid: number
  stop(): Promise<void>
  /** Ends it with SIGKILL. */
  kill(): Promise<void>
}

/** Starts our broker with its data in a directory. It ends with this process, whatever becomes of it. */
export async function startService(dir: string, config: object = {}): Promise<Service> {
  const given = JSON.stringify({ dataDir: dir, ...config })
  const child = spawn(process.execPath, ['--conditions=source', program, given], { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  const { value: line, done } = await lines.next()
  if (done) throw new Error('our broker did not start')
  const { url, healthUrl } = JSON.parse(line as string) as Pick<Service, 'url' | 'healthUrl'>
  return {
    ...{ url, healthUrl, pid: child.pid ?? 0 },
    async stop() {
      child.stdin.end()
      await ended
    },
    async kill() {
      child.kill('SIGKILL')
      await ended
    },
  }
}
