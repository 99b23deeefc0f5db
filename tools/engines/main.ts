import process from 'node:process'
import { down, type Surroundings, status, up } from './commands.ts'
import { folder } from './folder.ts'
import { withLock } from './lock.ts'
import { type EnginesCommand, parseCommand } from './options.ts'
import { line, type ServerReport } from './report.ts'

const { action, names, json } = readCommand()
const surroundings: Surroundings = { dir: folder(), env: process.env }
const reports = await (action === 'status' ? run() : withLock(surroundings.dir, run))
if (json) process.stdout.write(`${JSON.stringify(reports, undefined, 2)}\n`)
process.exitCode = reports.some(({ state }) => state === 'failed') ? 1 : 0

function readCommand(): EnginesCommand {
  try {
    return parseCommand(process.argv.slice(2))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}

/** One after the other: each is told as soon as it is ready. */
async function run(): Promise<readonly ServerReport[]> {
  const done: ServerReport[] = []
  for (const name of names) {
    const report = await { up, down, status }[action](name, surroundings)
    done.push(report)
    if (!json) process.stdout.write(`${line(report)}\n`)
  }
  return done
}
