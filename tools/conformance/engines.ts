import { existsSync } from 'node:fs'
import { join, resolve } from 'node:path'
import { pathToFileURL } from 'node:url'
import type { EngineHarness } from '@posthaste/conformance'

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
