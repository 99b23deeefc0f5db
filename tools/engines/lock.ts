import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { processStart, type ServerProcess } from '@posthaste/conformance/server'
import { lives } from './processes.ts'

const pollMs = 200

/**
 * Runs `work` while no other process holds the lock of that folder. One whose holder has ended is taken over, so nothing
 * has to be removed by hand.
 */
export async function withLock<T>(dir: string, work: () => Promise<T>): Promise<T> {
  const file = join(dir, 'lock')
  while (!take(file)) await sleep(pollMs)
  try {
    return await work()
  } finally {
    rmSync(file, { force: true })
  }
}

/** Linked into place with its content, so that nobody reads a lock without a holder. */
function take(file: string): boolean {
  const mine = `${file}.${process.pid}`
  writeFileSync(mine, JSON.stringify({ pid: process.pid, start: processStart(process.pid) }))
  try {
    linkSync(mine, file)
    return true
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error
    removeAbandoned(file)
    return false
  } finally {
    rmSync(mine, { force: true })
  }
}

/** Moved aside and looked at again, since another may have taken it over in between: then it goes back. */
function removeAbandoned(file: string): void {
  const aside = `${file}.${process.pid}.aside`
  try {
    if (lives(holderOf(file))) return
    renameSync(file, aside)
    if (lives(holderOf(aside))) linkSync(aside, file)
    rmSync(aside)
  } catch (error) {
    // Given back meanwhile.
    if ((error as NodeJS.ErrnoException).code !== 'ENOENT') throw error
  }
}

function holderOf(file: string): ServerProcess {
  return JSON.parse(readFileSync(file, 'utf8')) as ServerProcess
}
