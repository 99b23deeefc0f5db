import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Directories } from '../test/installation.ts'

/*
 * What "confirmed" is worth, as the kernel saw it: the process says on its standard output what it is told, and strace writes
 * down in which order it wrote, synced and said so.
 */

const worker = join(import.meta.dirname, '../test/sync-worker.ts')
const hasStrace = process.platform === 'linux' && spawnSync('strace', ['-o', '/dev/null', 'true']).status === 0

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

/**
 * What happened, in order: `write` and `sync` of the data file, `commit` where that was written so that the call ends when it
 * is on disk, and what the process said.
 */
async function traced(): Promise<string[]> {
  const [dir, trace] = [directories.fresh(), directories.fresh()]
  const calls = 'trace=openat,write,writev,pwrite64,pwritev,fdatasync,fsync,msync'
  const args = ['-f', '-y', '-o', trace, '-e', calls, process.execPath, '--conditions=source', worker, dir]
  const child = spawn('strace', args, { stdio: ['ignore', 'pipe', 'inherit'] })
  child.stdout.resume()
  const [code] = await once(child, 'exit')
  expect(code).toBe(0)
  return eventsOf(readFileSync(trace, 'utf8').split('\n'))
}

function eventsOf(lines: readonly string[]): string[] {
  const events: string[] = []
  /** Descriptors whose writes are on disk when they return. */
  const syncing = new Set<string>()
  /** Calls that another thread's cut in two, by thread: they count when they end. */
  const begun = new Map<string, string>()
  for (const line of lines) {
    const thread = line.split(' ')[0] ?? ''
    const opened = /openat\(.*data\.mdb", [^)]*O_DSYNC.* = (\d+)</.exec(line)?.[1]
    if (opened !== undefined) syncing.add(opened)
    const [, call = '', descriptor = ''] = /(\w+)\((\d+)<[^>]*data\.mdb>/.exec(line) ?? []
    const said = /write\(1<[^>]*>, "(\w+)/.exec(line)?.[1]
    const event =
      said ?? (call === '' ? undefined : /sync$/.test(call) ? 'sync' : syncing.has(descriptor) ? 'commit' : 'write')
    if (line.includes('<unfinished') && event !== undefined) begun.set(thread, event)
    else if (event !== undefined) events.push(event)
    else if (line.includes('resumed>') && begun.has(thread)) {
      events.push(begun.get(thread)!)
      begun.delete(thread)
    }
  }
  return events
}

describe('what is confirmed', () => {
  // Needs strace, and the right to trace.
  it.runIf(hasStrace)(
    'was written and then synced before it was said to be, for a publish and for a settlement',
    async () => {
      const events = await traced()
      for (const [begun, done] of [
        ['publishing', 'published'],
        ['settling', 'settled'],
      ] as const) {
        const between = events.slice(events.indexOf(begun) + 1, events.indexOf(done))
        expect(between.join(' '), begun).toMatch(/^(write )+sync commit$/)
      }
    },
  )
})
