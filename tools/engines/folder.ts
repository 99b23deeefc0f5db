import { mkdirSync } from 'node:fs'
import { join } from 'node:path'

/** Everything that is installed, written or kept by these tools; ignored by git. */
export const engineFolder = join(import.meta.dirname, '../../.cache/engines')

/** A folder below {@link engineFolder}, made if it is not there. */
export function folder(...names: readonly string[]): string {
  const path = join(engineFolder, ...names)
  mkdirSync(path, { recursive: true })
  return path
}
