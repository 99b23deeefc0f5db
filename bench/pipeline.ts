import { loadavg } from 'node:os'
import { join } from 'node:path'
import { outputOf } from './child.ts'
import type { BenchDocument, CaseResult, Goal } from './document.ts'
import { resultOf } from './document.ts'
import { machineOf } from './machine.ts'
import { interleaved, median } from './measure.ts'
import type { Allocating, Held } from './pipeline/heap.ts'
import type { Made } from './pipeline/made.ts'
import { loopAwaiting } from './pipeline/speed.ts'
import { actionOf, bareName, type Library, libraries, type Path, paths, stackName } from './pipeline/subject.ts'
import { subjectsOf } from './pipeline/subjects.ts'

/** How much of everything. */
export interface Amounts {
  /** Processor time for each subject on each path in each round. */
  readonly budgetMs: number
  /** Calls whose allocations are looked at. */
  readonly heapCalls: number
}

const amounts: Amounts = { budgetMs: 60, heapCalls: 50_000 }
const functionsShown = 8

/** One library in one round: nanoseconds for each call. */
type Speeds = readonly (readonly [subject: string, path: Path, ns: number])[]

interface Heap {
  readonly made: Made
  readonly bytes: number
  readonly functions: readonly Allocating[]
  readonly held: Held
}

/** The default stack, over and over. */
export async function profiled(): Promise<void> {
  const stack = (await subjectsOf('ours')).find(({ name }) => name === stackName)
  if (stack !== undefined) await loopAwaiting(stack.make(actionOf('asynchronous success', stack)), 2_000_000)
}

/** What filters cost a call, each alone and stacked, beside libraries that do the same. */
export async function bench(rounds: number, { budgetMs, heapCalls }: Amounts = amounts): Promise<BenchDocument> {
  const [loadBefore = 0] = loadavg()
  const speed = (library: Library) => (): Promise<Speeds> => told('program.ts', [library, String(budgetMs)])
  const speeds = await interleaved<Library, Speeds>(rounds, byLibrary(speed))
  const heap = (library: Library): Promise<Heap> => told('heap-program.ts', [library, String(heapCalls)])
  const heaps = { ours: await heap('ours'), cockatiel: await heap('cockatiel'), opossum: await heap('opossum') }
  const method = {
    rounds,
    figure:
      'median of rounds, libraries in turn, each in a process of its own; processor time of the thread for each call',
    'processor milliseconds for each figure and round': budgetMs,
    'calls for each figure of the heap': heapCalls,
    'load average before': Math.round(loadBefore * 100) / 100,
  }
  const results = [...speedResults(speeds), ...heapResults(heaps)]
  return { bench: 'pipeline', machine: machineOf(import.meta.dirname), method, results }
}

async function told<T>(program: string, args: readonly string[]): Promise<T> {
  return JSON.parse(await outputOf(join(import.meta.dirname, 'pipeline', program), args)) as T
}

function byLibrary<T>(of: (library: Library) => T): Record<Library, T> {
  return { ours: of('ours'), cockatiel: of('cockatiel'), opossum: of('opossum') }
}

/** Every subject on every path; of ours, beside the same of others where there is such a thing. */
function speedResults(speeds: Readonly<Record<Library, readonly Speeds[]>>): CaseResult[] {
  const figures = byLibrary((library) => mediansOf(speeds[library]))
  return paths.flatMap((path) =>
    [...figures.ours].flatMap(([key, ours]) => {
      const [subject, of] = JSON.parse(key) as [string, Path]
      if (of !== path || subject === bareName) return []
      const bare = figures.ours.get(keyOf(bareName, path)) ?? Number.NaN
      const peers: Record<string, number> = { [bareName]: bare }
      for (const library of libraries) {
        const theirs = library === 'ours' ? undefined : figures[library].get(key)
        if (theirs !== undefined) peers[library] = theirs
      }
      const made = { case: `${subject}, ${path}`, unit: 'ns/call', ours, peers }
      if (subject !== stackName || path !== 'asynchronous success') return [resultOf(made)]
      const beside = { ...made, case: `${made.case}, beside cockatiel` }
      return [resultOf({ ...made, goal: { max: 1_500 } }), resultOf({ ...beside, goal: { max: 0.2, of: 'cockatiel' } })]
    }),
  )
}

const keyOf = (subject: string, path: Path): string => JSON.stringify([subject, path])

function mediansOf(rounds: readonly Speeds[]): ReadonlyMap<string, number> {
  const all = new Map<string, number[]>()
  for (const [subject, path, ns] of rounds.flat()) {
    const key = keyOf(subject, path)
    all.set(key, [...(all.get(key) ?? []), ns])
  }
  return new Map([...all].map(([key, figures]) => [key, median(figures)]))
}

const none: Goal = { max: 0 }

/** What the default stack allocates for a call that succeeds: how much, of what, and where. */
function heapResults(heaps: Readonly<Record<Library, Heap>>): CaseResult[] {
  const row = (name: string, of: { readonly unit: string; readonly goal?: Goal }, figure: (heap: Heap) => number) => {
    const peers = { cockatiel: figure(heaps.cockatiel), opossum: figure(heaps.opossum) }
    return resultOf({ case: `${stackName}, ${name}`, ours: figure(heaps.ours), peers, ...of })
  }
  const each = (unit: string) => ({ unit, goal: none })
  const kinds = ['Promise', 'function of a promise', ...Object.keys(heaps.ours.held)]
  return [
    row('timers of the machine', each('made/call'), ({ made }) => made.timers),
    row(
      'AbortControllers and AbortSignals',
      each('made/call'),
      ({ made }) => made.abortControllers + made.abortSignals,
    ),
    row('closures held while under way', each('held/call'), ({ held }) => held.closure ?? 0),
    row('timers held while under way', each('held/call'), ({ held }) => (held.Timeout ?? 0) + (held.Entry ?? 0)),
    ...[...new Set(kinds)].map((kind) =>
      row(`held while under way: ${kind}`, { unit: 'held/call' }, ({ held }) => held[kind] ?? 0),
    ),
    row('allocated', { unit: 'B/call' }, ({ bytes }) => bytes),
    ...heaps.ours.functions
      .slice(0, functionsShown)
      .map(({ name, place, bytes }) =>
        resultOf({ case: `${stackName}, heap sample: ${name} ${place}`.trimEnd(), unit: 'B/call', ours: bytes }),
      ),
  ]
}
