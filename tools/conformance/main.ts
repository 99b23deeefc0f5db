import { readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { type ConformanceResult, isConformant, runConformance } from '@posthaste/conformance'
import { keptRuns, written } from './documentation.ts'
import { loadHarness, namedEngines, whatIsMissing } from './engines.ts'
import { type ConformanceCommand, parseCommand } from './options.ts'
import { type ConformanceDocument, documentOf, failureReport, fileText, textReport } from './report.ts'

const docs = join(import.meta.dirname, '../../docs')
const resultsDir = join(docs, 'guarantees')

const command = readCommand()
const results: ConformanceResult[] = []
const skipped: string[] = []
for (const engine of namedEngines(command.engines)) {
  const missing = whatIsMissing(engine)
  if (missing === undefined) results.push(await run(engine))
  else skipped.push(`${engine} was skipped: ${missing}`)
}
const documents = results.map(documentOf)
if (documents.length > 0) process.stdout.write(`${command.json ? jsonOf(documents) : textOf(documents)}\n`)
if (command.writeDocs) writeDocs(documents)
const failures = failureReport(documents)
if (failures !== undefined) process.stderr.write(`\n${failures}\n`)
for (const line of skipped) process.stderr.write(`${line}\n`)
// Where everything must hold, what could not be shown does not.
const mayBeSkipped = process.env.CI !== 'true'
process.exitCode = results.every(isConformant) && (mayBeSkipped || skipped.length === 0) ? 0 : 1

function readCommand(): ConformanceCommand {
  try {
    return parseCommand(process.argv.slice(2))
  } catch (error) {
    return wronglyCalled(error as Error)
  }
}

function wronglyCalled({ message }: Error): never {
  process.stderr.write(`${message}\n`)
  process.exit(2)
}

/** One engine as itself, several as a list. */
function jsonOf(runs: readonly ConformanceDocument[]): string {
  return JSON.stringify(runs.length === 1 ? runs[0] : runs, undefined, 2)
}

function textOf(runs: readonly ConformanceDocument[]): string {
  return runs.map(textReport).join('\n\n')
}

async function run(engine: string): Promise<ConformanceResult> {
  const { only, mutants, seed, scale, parallel, verbose } = command
  // npm runs scripts in the root, wherever they are called.
  const harness = await loadHarness(engine, process.env.INIT_CWD ?? process.cwd()).catch(wronglyCalled)
  const onProgress = verbose ? (line: string) => process.stderr.write(`${engine}: ${line}\n`) : undefined
  return runConformance(harness, { only, mutants, seed, scale, parallel, onProgress }).catch(wronglyCalled)
}

/** Keeps the runs, and writes the page anew from all that are kept. */
function writeDocs(runs: readonly ConformanceDocument[]): void {
  for (const each of runs) {
    writeFileSync(join(resultsDir, `${each.engine}.json`), fileText(each))
  }
  const page = join(docs, 'guarantees.md')
  writeFileSync(page, written(readFileSync(page, 'utf8'), keptRuns(resultsDir)))
}
