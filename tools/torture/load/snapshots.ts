import { existsSync, mkdirSync, readdirSync, rmSync, statSync } from 'node:fs'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Random } from '../random.ts'
import type { Publisher } from './publisher.ts'

const keptCount = 2
const share = 0.2

/** Takes a snapshot now and then, and leaves the last two that became whole. */
export async function takeSnapshots({ system, life }: Publisher, runDir: string, random: Random): Promise<void> {
  const dir = snapshotsDirOf(runDir)
  mkdirSync(dir, { recursive: true })
  if (!random.chance(share)) return
  await sleep(random.integer(0, 60))
  const name = String(life)
  system.journal.write({ t: 'snapshotting', name })
  await system.engine.snapshot(join(dir, name))
  system.journal.write({ t: 'snapshot', name })
  const whole = wholeSnapshots(runDir)
  for (const other of readdirSync(dir)) {
    if (!whole.slice(-keptCount).includes(other)) rmSync(join(dir, other), { recursive: true })
  }
}

/** Where the snapshots of a run stand, each under the number of its life. */
export const snapshotsDirOf = (runDir: string): string => join(runDir, 'snapshots')

/** Those that became whole, oldest first. */
export function wholeSnapshots(runDir: string): string[] {
  const dir = snapshotsDirOf(runDir)
  if (!existsSync(dir)) return []
  const isWhole = (name: string): boolean =>
    statSync(join(dir, name)).isDirectory() && readdirSync(join(dir, name)).join() === 'data.mdb'
  return readdirSync(dir)
    .filter(isWhole)
    .sort((a, b) => Number(a) - Number(b))
}
