import { randomInt } from 'node:crypto'
import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import type { Log } from '@posthaste/contracts'
import { silentLog } from 'posthaste/pipeline'
import { type FaultsCommand, parseCommand } from './options.ts'
import { documentOf, textReport } from './report.ts'
import { type FaultRun, isSound, ownServers, runFaults } from './run.ts'

const resultsDir = join(import.meta.dirname, '../../docs/guarantees/faults')
const seedEnd = 2 ** 31 - 1

// What nobody handles is a fault of the engine under test, and the run has to say so.
const unhandled: unknown[] = []
process.on('unhandledRejection', (reason) => unhandled.push(reason))
process.on('uncaughtException', (error) => unhandled.push(error))

// Servers survive the process that started them.
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    void Promise.allSettled([...ownServers].map((server) => server.kill())).then(() => process.exit(1))
  })
}

const command = readCommand()
const runs: FaultRun[] = []
/** Runs that came to no end. */
const broken: string[] = []
for (const engine of command.engines) {
  try {
    runs.push(await run(engine))
  } catch (error) {
    broken.push(`${engine}: ${(error as Error)?.stack ?? String(error)}`)
  }
}
const documents = runs.map(documentOf)
process.stdout.write(`${command.json ? JSON.stringify(documents, undefined, 2) : runs.map(textReport).join('\n\n')}\n`)
if (command.writeDocs) {
  mkdirSync(resultsDir, { recursive: true })
  for (const each of documents)
    writeFileSync(join(resultsDir, `${each.engine}.json`), `${JSON.stringify(each, undefined, 2)}\n`)
}
for (const each of broken) process.stderr.write(`${each}\n`)
for (const reason of unhandled) process.stderr.write(`nobody handled: ${(reason as Error)?.stack ?? String(reason)}\n`)
process.exit(runs.every(isSound) && unhandled.length + broken.length === 0 ? 0 : 1)

function readCommand(): FaultsCommand {
  try {
    return parseCommand(process.argv.slice(2), () => randomInt(seedEnd))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}

function run(engine: FaultsCommand['engines'][number]): Promise<FaultRun> {
  const { seed, rounds, verbose } = command
  const onProgress = (line: string) => {
    if (verbose) process.stderr.write(`${engine}: ${line}\n`)
  }
  return runFaults(engine, { seed, rounds, onProgress, log: logOf(onProgress) })
}

/** Warnings and errors of the engine and the bus, as progress. */
function logOf(onProgress: (line: string) => void): Log {
  const told = (level: string) => (message: string, fields?: object) =>
    onProgress(`  ${level} ${message} ${fields === undefined ? '' : JSON.stringify(fields)}`)
  const warn = told('warn')
  return {
    ...silentLog,
    // Some of the messages are to end there.
    warn: (message, fields) => (message === 'to the dead letters' ? undefined : warn(message, fields)),
    error: told('error'),
  }
}
