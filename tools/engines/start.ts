import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { ServerProcess } from '@posthaste/conformance/server'
import { isOpen } from './ports.ts'
import { end, launch, lives } from './processes.ts'
import type { Place, Program, Recipe } from './recipe.ts'

/** How long a server may take until it is ready; RabbitMQ takes some 15 s on a machine that does nothing else. */
const readyTimeoutMs = 180_000
const pollMs = 100
/** How much of the log an error tells. */
const logCharsMax = 2_000

/** A server that is ready. */
export interface Started {
  readonly version: string
  readonly url: string
  readonly tlsUrl?: string | undefined
  /** In the order of their start. */
  readonly processes: readonly ServerProcess[]
  /** The one that serves `url`. */
  readonly pid: number
  readonly logFile: string
}

/** Is told of all processes whenever one more was started. */
export type OnLaunched = (processes: readonly ServerProcess[]) => void

/**
 * Starts a server and waits until it is ready.
 * @throws Error with the end of its log when it ends instead, or takes minutes; nothing of it runs on then
 */
export async function start(
  recipe: Recipe,
  place: Place,
  { program, onLaunched }: { readonly program: Program; readonly onLaunched?: OnLaunched },
): Promise<Started> {
  const { launches, url, tlsUrl } = await recipe.prepare(program, place)
  const logFile = join(place.dir, 'server.log')
  const processes: ServerProcess[] = []
  let pid = 0
  try {
    for (const each of launches) {
      const started = await launch(each, logFile, place.dir)
      processes.push(started)
      onLaunched?.(processes)
      if (each.listensOn === place.ports.main) pid = started.pid
      await until(processes, () => listens(each.listensOn))
    }
    const version = await ready(recipe, url, processes)
    return { version, url, tlsUrl, processes, pid, logFile }
  } catch (error) {
    await end(processes)
    throw new Error(`${place.name} did not get ready: ${(error as Error).message}\n${tail(logFile)}`, { cause: error })
  }
}

/**
 * Waits until a server is ready and gives its version.
 * @throws Error when one of its processes ends, or it takes minutes
 */
export function ready({ probe }: Recipe, url: string, processes: readonly ServerProcess[]): Promise<string> {
  return until(processes, () => probe(new URL(url)))
}

async function listens(port: number): Promise<void> {
  if (!(await isOpen(port))) throw new Error(`nobody listens on port ${port}`)
}

/** Asks again and again until it is answered, as long as all processes live. */
async function until<T>(processes: readonly ServerProcess[], ask: () => Promise<T>): Promise<T> {
  const deadline = Date.now() + readyTimeoutMs
  for (;;) {
    try {
      return await ask()
    } catch (error) {
      if (!processes.every(lives)) throw new Error('its process has ended', { cause: error })
      if (Date.now() > deadline) throw error
      await sleep(pollMs)
    }
  }
}

function tail(logFile: string): string {
  try {
    return readFileSync(logFile, 'utf8').slice(-logCharsMax)
  } catch {
    return ''
  }
}
