import { readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { ServerProcess, ServerState } from '@posthaste/conformance/server'
import { lives } from './processes.ts'
import type { EngineKind, Ports } from './recipe.ts'

/** What is kept about a server that was started, in `<name>.json`. */
export interface EngineState extends ServerState {
  readonly engine: EngineKind
  readonly version: string
  /** The process that serves `url`. */
  readonly pid: number
  /** ISO 8601. */
  readonly startedAt: string
  readonly ports: Ports
  readonly dir: string
  readonly logFile: string
  readonly note?: string | undefined
}

/** What is kept about a server, whether it still runs or not. */
export function readState(dir: string, name: string): EngineState | undefined {
  try {
    return JSON.parse(readFileSync(fileOf(dir, name), 'utf8')) as EngineState
  } catch {
    return undefined
  }
}

/** Keeps it; readers see all of it or what was there before. For the user alone: it has a password. */
export function writeState(dir: string, state: EngineState): void {
  const draft = `${fileOf(dir, state.name)}.${process.pid}`
  writeFileSync(draft, `${JSON.stringify(state, undefined, 2)}\n`, { mode: 0o600 })
  renameSync(draft, fileOf(dir, state.name))
}

/** Forgets a server. */
export function removeState(dir: string, name: string): void {
  rmSync(fileOf(dir, name), { force: true })
}

/**
 * Keeps what was started of a server that is not ready yet, so that it is found if the command is interrupted. Apart from
 * the state itself: nobody is to use that server.
 */
export function writeStarting(dir: string, name: string, processes: readonly ServerProcess[]): void {
  writeFileSync(startingFileOf(dir, name), JSON.stringify(processes), { mode: 0o600 })
}

/** What an interrupted start left behind. */
export function readStarting(dir: string, name: string): readonly ServerProcess[] {
  try {
    return JSON.parse(readFileSync(startingFileOf(dir, name), 'utf8')) as readonly ServerProcess[]
  } catch {
    return []
  }
}

/** Forgets it. */
export function removeStarting(dir: string, name: string): void {
  rmSync(startingFileOf(dir, name), { force: true })
}

/** Whether all processes of the server are still the ones that were started. */
export function runs(state: EngineState): boolean {
  return state.processes.every(lives)
}

function startingFileOf(dir: string, name: string): string {
  return join(dir, `${name}.starting`)
}

function fileOf(dir: string, name: string): string {
  return join(dir, `${name}.json`)
}
