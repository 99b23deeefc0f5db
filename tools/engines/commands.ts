import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { serverVariable } from '@posthaste/conformance/server'
import { ask, withoutPassword } from './foreign.ts'
import { freePorts } from './ports.ts'
import { end } from './processes.ts'
import type { Credentials, Place, ServerName } from './recipe.ts'
import { recipes } from './recipes/all.ts'
import type { ServerReport } from './report.ts'
import { start } from './start.ts'
import { type EngineState, readState, removeState, runs, writeState } from './state.ts'
import { certificates } from './tls.ts'

/** Where servers are kept, and what the environment says. */
export interface Surroundings {
  readonly dir: string
  readonly env: Readonly<Record<string, string | undefined>>
}

/** Starts a server unless it runs, and waits until it is ready. One that was started before keeps its data. */
export async function up(name: ServerName, { dir, env }: Surroundings): Promise<ServerReport> {
  const foreign = env[serverVariable(name)]
  if (foreign) return ask(recipes[name], foreign)
  const before = readState(dir, name)
  if (before && runs(before)) return reportOf(name, before)
  try {
    // Of a server that was killed, something may live.
    await end(before?.processes ?? [])
    const state = await begin(name, dir)
    writeState(dir, state)
    return reportOf(name, state)
  } catch (error) {
    return { name, state: 'failed', note: (error as Error).message }
  }
}

/** Stops a server that `up` has started; every other is left alone. */
export async function down(name: ServerName, { dir, env }: Surroundings): Promise<ServerReport> {
  const state = readState(dir, name)
  if (state) await end(state.processes)
  removeState(dir, name)
  return status(name, { dir, env })
}

/** Tells how a server stands. */
export function status(name: ServerName, { dir, env }: Surroundings): ServerReport {
  const url = env[serverVariable(name)]
  if (url) return { name, state: 'foreign', url: withoutPassword(url) }
  const state = readState(dir, name)
  return state && runs(state) ? reportOf(name, state) : { name, state: 'stopped' }
}

async function begin(name: ServerName, dir: string): Promise<EngineState> {
  const recipe = recipes[name]
  const program = await recipe.find()
  const tls = certificates(join(dir, 'tls'))
  const place: Place = {
    name,
    dir: join(dir, name),
    ports: await freePorts(recipe.ports),
    tls,
    credentials: credentialsIn(dir),
  }
  mkdirSync(place.dir, { recursive: true })
  const { version, url, tlsUrl, processes, pid, logFile } = await start(recipe, program, place)
  const startedAt = new Date().toISOString()
  const notes = [program.note, tls ? undefined : 'no port with TLS: openssl is not installed'].filter((note) => note)
  const note = notes.length > 0 ? notes.join('; ') : undefined
  const at = { url, tlsUrl, ports: place.ports, dir: place.dir, logFile }
  const state = { name, engine: recipe.kind, version, ...at, pid, processes, startedAt, note }
  if (!tls) return state
  const { caFile, certFile, keyFile } = tls
  return { ...state, caFile, certFile, keyFile, ...place.credentials }
}

/** The same user for all servers, with a password that was made up here. */
function credentialsIn(dir: string): Credentials {
  const file = join(dir, 'password')
  if (!existsSync(file)) writeFileSync(file, randomUUID(), { mode: 0o600 })
  return { username: 'posthaste', password: readFileSync(file, 'utf8') }
}

function reportOf(name: ServerName, { version, url, tlsUrl, pid, note }: EngineState): ServerReport {
  return { name, state: 'running', version, url, tlsUrl, pid, note }
}
