import { mkdirSync, mkdtempSync, rmSync } from 'node:fs'
import { join } from 'node:path'

/** The workspace's ignored directory: on the disk that the workspace is on. */
export const scratchRoot = join(import.meta.dirname, '../../.cache/bench')

/** Runs with a directory of its own, which is gone afterwards. */
export async function withDirectory<T>(run: (dir: string) => Promise<T>): Promise<T> {
  mkdirSync(scratchRoot, { recursive: true })
  const dir = mkdtempSync(join(scratchRoot, 'data-'))
  try {
    return await run(dir)
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
