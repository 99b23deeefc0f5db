import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import process from 'node:process'
import { type BenchCommand, parseCommand } from './cli.ts'
import { type BenchDocument, tableOf } from './document.ts'
import { type ServerName, serverNames } from './engines/contestant.ts'
import { type FaultsDocument, tableOf as faultsTableOf } from './known-faults/document.ts'
import { profileOf, selfTimesOf } from './profile.ts'
import { type SimDocument, tableOf as simTableOf } from './sim/document.ts'

/** What the file of a benchmark exports. */
interface BenchModule {
  bench(rounds: number): Promise<BenchDocument | SimDocument | FaultsDocument>
  profiled(): Promise<unknown>
  /** Keeps what there is beside the document. */
  saved?(): void
}

const names = {
  benches: ['embedded', 'limits', 'engines', 'sim', 'known-faults', 'pipeline', 'rpc', 'broker', 'broker-clients'],
  engines: { engines: serverNames },
}
const command = readCommand()

const benches: Readonly<Record<string, () => Promise<BenchModule>>> = {
  embedded: () => import('./embedded.ts'),
  limits: () => import('./limits.ts'),
  pipeline: () => import('./pipeline.ts'),
  rpc: () => import('./rpc.ts'),
  broker: () => import('./broker.ts'),
  'broker-clients': () => import('./broker-clients.ts'),
  async engines() {
    const { bench, profiled } = await import('./engines.ts')
    const only = command.engine as ServerName | undefined
    return { bench: (rounds) => bench(rounds, only), profiled: () => profiled(only) }
  },
  sim: () => import('./sim.ts'),
  'known-faults': () => import('./known-faults.ts'),
}

const profileTop = 25

const { bench, profiled, saved } = await benches[command.bench]!()
if (command.profile) await printProfile()
else await printFigures()

async function printFigures(): Promise<void> {
  const document = await bench(command.rounds)
  const text = `${JSON.stringify(document, undefined, 2)}\n`
  if (command.save) {
    const dir = join(import.meta.dirname, 'results')
    mkdirSync(dir, { recursive: true })
    writeFileSync(join(dir, `${command.bench}.json`), text)
    saved?.()
  }
  process.stdout.write(command.json ? text : tableFor(document))
}

function tableFor(document: BenchDocument | SimDocument | FaultsDocument): string {
  if ('scenarios' in document) return simTableOf(document)
  return 'faults' in document ? faultsTableOf(document) : tableOf(document)
}

async function printProfile(): Promise<void> {
  await profiled()
  const profile = await profileOf(profiled)
  const times = selfTimesOf(profile, { top: profileTop, root: join(import.meta.dirname, '..') })
  for (const { name, place, percent } of times) {
    process.stdout.write(`${percent.toFixed(1).padStart(5)} %  ${name.padEnd(36)} ${place}\n`)
  }
}

function readCommand(): BenchCommand {
  try {
    return parseCommand(process.argv.slice(2), names)
  } catch (error) {
    process.stderr.write(`${(error as Error).message}\n`)
    process.exit(2)
  }
}
