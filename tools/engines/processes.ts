import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { closeSync, openSync } from 'node:fs'
import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import { processStart, type ServerProcess } from '@posthaste/conformance/server'
import type { Launch } from './recipe.ts'

/** How long a server may take to end in order before it is killed. */
const endTimeoutMs = 20_000
const pollMs = 50

/**
 * Starts a process that survives this one, as the leader of a process group, so that what it starts is reached with it.
 * @throws Error when there is no such executable
 */
export async function launch({ command, args, env }: Launch, logFile: string, cwd: string): Promise<ServerProcess> {
  const log = openSync(logFile, 'a', 0o600)
  try {
    const child = spawn(command, args, {
      cwd,
      detached: true,
      stdio: ['ignore', log, log],
      env: { ...process.env, ...env },
    })
    await once(child, 'spawn')
    child.unref()
    const pid = child.pid as number
    return { pid, start: processStart(pid) ?? 'ended' }
  } finally {
    closeSync(log)
  }
}

/** Whether it is this very process that runs, and not a later one with its id. */
export function lives({ pid, start }: ServerProcess): boolean {
  return processStart(pid) === start
}

/** Sends a signal to the process and to all that it started; does nothing if it does not live. */
export function signal(target: ServerProcess, name: NodeJS.Signals): void {
  if (!lives(target)) return
  try {
    process.kill(-target.pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}

/** Ends the processes, the last started first: in order if they can, and killed if they take too long. */
export async function end(processes: readonly ServerProcess[], timeoutMs = endTimeoutMs): Promise<void> {
  for (const target of processes.toReversed()) {
    // One that is stopped would not hear of its end.
    signal(target, 'SIGCONT')
    signal(target, 'SIGTERM')
    if (await ended(target, timeoutMs)) continue
    signal(target, 'SIGKILL')
    await ended(target, timeoutMs)
  }
}

/** Waits until the process has ended. */
export async function ended(target: ServerProcess, timeoutMs: number): Promise<boolean> {
  for (let waitedMs = 0; waitedMs < timeoutMs; waitedMs += pollMs) {
    if (!lives(target)) return true
    await sleep(pollMs)
  }
  return !lives(target)
}
