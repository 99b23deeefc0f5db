import { join } from 'node:path'
import process from 'node:process'
import type { FuzzOptions } from './options.ts'

/*
 * Runs the inputs in a process of its own, which can be killed where it hangs, and whose memory is that of the inputs alone.
 * Says how far it is on standard output, a line of JSON each time, and at last what there was.
 */

/** A line of this process. */
export type FuzzLine =
  | { readonly done: number; readonly heldMb: number; readonly residentMb: number }
  | { readonly figures: object }
  | { readonly fault: string }

/** What `packages/transports/link/test/fuzz/fuzz.ts` exports. */
interface FuzzModule {
  fuzz(run: FuzzOptions & { progress(done: number): void }): Promise<object>
}

const say = (line: FuzzLine): void => {
  process.stdout.write(`${JSON.stringify(line)}\n`)
}

const megabyte = 1024 ** 2

/** What is on the heap and in buffers after all garbage was collected. */
function heldMb(): number {
  globalThis.gc?.()
  const { heapUsed, arrayBuffers } = process.memoryUsage()
  return (heapUsed + arrayBuffers) / megabyte
}

const options = JSON.parse(process.argv[2] ?? '') as FuzzOptions
const report = (done: number): void => say({ done, heldMb: heldMb(), residentMb: process.memoryUsage.rss() / megabyte })
// Violations are thrown by the million, and their stacks would take a tenth of the time; a failure is run again by itself.
if (options.inputs > 1000) Error.stackTraceLimit = 2
const root = join(import.meta.dirname, '../..')
const { fuzz } = (await import(join(root, 'packages/transports/link/test/fuzz/fuzz.ts'))) as FuzzModule
const every = Math.max(5000, Math.floor(options.inputs / 200 / 5000) * 5000)

await fuzz({ ...options, progress: (done) => done % every === 0 && report(done) }).then(
  (figures) => {
    report(options.inputs)
    say({ figures })
  },
  (error: unknown) => {
    say({ fault: error instanceof Error ? error.message : String(error) })
    process.exitCode = 1
  },
)
