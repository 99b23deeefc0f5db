import { randomUUID } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type ServerProcess, serverVariable } from '@posthaste/conformance/server'
import { ask } from './foreign.ts'
import { freePorts } from './ports.ts'
import { end } from './processes.ts'
import type { Credentials, Place, ServerName } from './recipe.ts'
import { recipes } from './recipes/all.ts'
import type { ServerReport } from './report.ts'
import { ready, start } from './start.ts'
import {
  type EngineState,
  readStarting,
  readState,
  removeStarting,
  removeState,
  runs,
  writeStarting,
  writeState,
} from './state.ts'
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
  try {
    if (before && runs(before)) {
      await ready(recipes[name], before.url, before.processes)
      return reportOf(name, before)
    }
    await clear(name, dir)
    const state = await begin(name, dir)
    writeState(dir, state)
    removeStarting(dir, name)
    return reportOf(name, state)
  } catch (error) {
    return { name, state: 'failed', note: (error as Error).message }
  }
}

/** Ends what there is of a server: all of it, what was left when one of its processes was killed, or an interrupted start. */
async function clear(name: ServerName, dir: string): Promise<void> {
  await end([...(readState(dir, name)?.processes ?? []), ...readStarting(dir, name)])
  removeState(dir, name)
  removeStarting(dir, name)
}

/** Stops a server that `up` has started; every other is left alone. */
export async function down(name: ServerName, { dir, env }: Surroundings): Promise<ServerReport> {
  await clear(name, dir)
  return status(name, { dir, env })
}

/** Tells how a server stands; one that runs is asked. */
export async function status(name: ServerName, { dir, env }: Surroundings): Promise<ServerReport> {
  const foreign = env[serverVariable(name)]
  if (foreign) return ask(recipes[name], foreign)
  const state = readState(dir, name)
  if (!state || !runs(state)) return { name, state: 'stopped' }
  try {
    await recipes[name].probe(new URL(state.url))
    return reportOf(name, state)
  } catch (error) {
    return { ...reportOf(name, state), state: 'failed', note: `runs, but: ${(error as Error).message}` }
  }
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
  // The log of an earlier start, or it would grow for ever.
  rmSync(join(place.dir, 'server.log'), { force: true })
  const onLaunched = (launched: readonly ServerProcess[]): void => writeStarting(dir, name, launched)
  const started = await start(recipe, place, { program, onLaunched })
  const { version, url, tlsUrl, processes, pid, logFile } = started
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
