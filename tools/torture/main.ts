import { join } from 'node:path'
import process from 'node:process'
import { parseOptions, type TortureOptions } from './options.ts'
import { runTorture, type TortureResult } from './run.ts'

/** Faults that are shown; the journals have all of them. */
const faultsShownMax = 20

const options = readOptions()
const scratchDir = join(import.meta.dirname, '../../.cache')
const result = await runTorture({ ...options, scratchDir })
process.stdout.write(options.json ? `${JSON.stringify(documentOf(result))}\n` : textOf(result))
process.exitCode = result.ok ? 0 : 1

function readOptions(): TortureOptions {
  try {
    return parseOptions(process.argv.slice(2), () => Math.floor(Math.random() * 2 ** 31))
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}

function documentOf({ faults, kept: _, ...counts }: TortureResult): object {
  return { ...counts, faults: faults.length, shown: faults.slice(0, faultsShownMax) }
}

function textOf({ faults, kept, ok, ...counts }: TortureResult): string {
  const lines = [
    ...linesOf(counts),
    ...faults.slice(0, faultsShownMax).map(({ kind, text }) => `${kind}: ${text}`),
    ...(faults.length > faultsShownMax ? [`… and ${faults.length - faultsShownMax} more`] : []),
    ...(kept === undefined ? [] : [`kept in ${kept}`]),
    ok ? 'ok' : `NOT ok: ${faults.length} faults`,
  ]
  return `${lines.join('\n')}\n`
}

/** One line for each count, those of a part under its name. */
function linesOf(counts: object, prefix = ''): string[] {
  return Object.entries(counts).flatMap(([name, value]) =>
    typeof value === 'object'
      ? linesOf(value, `${name} `)
      : [`${(prefix + name).padEnd(28)} ${String(value).padStart(9)}`],
  )
}
