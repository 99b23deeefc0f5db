import { execFile } from 'node:child_process'
import { join } from 'node:path'
import process from 'node:process'
import { promisify } from 'node:util'

/** A million keys leave no more than this on the heap and in buffers. */
export const leftMbMax = 50

/** How many keys, and how a filter with a breaker for each is set. */
export interface KeysCase {
  readonly keys: number
  /** How many it may keep; its default if undefined. */
  readonly keysMax?: number
  /** Whether its window is one of calls, which no time empties. */
  readonly windowCalls?: number
}

/** What was measured. */
export interface KeysFigures {
  /** What the keys left on the heap and in buffers, in MB, after all garbage was collected. */
  readonly leftMb: number
  /** Of how many the filter knows something. */
  readonly known: number
}

/**
 * Measures in a process of its own, as only there nothing else comes and goes.
 * @throws Error when it does not end well
 */
export async function measureKeys(what: KeysCase): Promise<KeysFigures> {
  const program = join(import.meta.dirname, 'memory-child.ts')
  const node = ['--expose-gc', '--conditions=source', program, JSON.stringify(what)]
  const { stdout } = await promisify(execFile)(process.execPath, node)
  return JSON.parse(stdout) as KeysFigures
}

/** All that is measured in a night; the one more is the key that warms up. */
export const keysCases: readonly KeysCase[] = [
  { keys: 1_000_000 },
  { keys: 1_000_000, keysMax: 1_000_001 },
  { keys: 1_000_000, keysMax: 10_000_000 },
  { keys: 1_000_000, keysMax: 1_000_001, windowCalls: 100 },
]
