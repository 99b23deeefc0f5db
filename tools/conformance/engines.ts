import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { EngineHarness } from '@posthaste/conformance'
import { runningServer, serverVariable } from '@posthaste/conformance/server'

/** The engines of this repository, in the order of the documentation. */
export const ownEngines = ['embedded', 'memory', 'rabbitmq', 'kafka', 'nats', 'redis', 'broker'] as const

/** Those that need a server of their name. */
const serverEngines: readonly string[] = ['rabbitmq', 'kafka', 'nats', 'redis', 'broker']

/** Every engine that is asked for, each once; `all` stands for those of this repository. */
export function namedEngines(asked: readonly string[]): readonly string[] {
  return [...new Set(asked.flatMap((engine) => (engine === 'all' ? ownEngines : [engine])))]
}

/** What is missing for an engine to run, and how to come by it; undefined where nothing is. */
export function whatIsMissing(engine: string): string | undefined {
  if (!serverEngines.includes(engine) || runningServer(engine) !== undefined) return undefined
  return `no ${engine} server is up: start one with 'npm run engines -- up ${engine}', or name yours in ${serverVariable(engine)}`
}

const enginesDir = join(import.meta.dirname, '../../packages/engines')

/** Where the harness of an engine is: with the engine, by name, or wherever a path says. */
export function harnessPath(engine: string, workingDir: string): string {
  const named = join(enginesDir, engine, 'test/harness.ts')
  return /^[a-z0-9-]+$/.test(engine) && existsSync(named) ? named : resolve(workingDir, engine)
}

/**
 * Loads the harness of an engine.
 * @throws Error when there is no such module, or it exports no `harness`
 */
export async function loadHarness(engine: string, workingDir: string): Promise<EngineHarness> {
  const path = harnessPath(engine, workingDir)
  if (!existsSync(path))
    throw new Error(`${engine} is no engine of packages/engines with a test/harness.ts, and no file`)
  const module = (await import(pathToFileURL(path).href)) as { readonly harness?: EngineHarness }
  if (typeof module.harness?.create !== 'function')
    throw new Error(`${path} must export a harness: an object with create(), see packages/conformance/README.md`)
  return module.harness
}
