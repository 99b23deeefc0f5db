import { mkdirSync } from 'node:fs'
import { loadavg } from 'node:os'
import type { BenchDocument, CaseResult, Goal } from './document.ts'
import { resultOf } from './document.ts'
import { scratchRoot, withDirectory } from './embedded/scratch.ts'
import { run } from './limits/run.ts'
import type { Figures } from './limits/steps.ts'
import { machineOf } from './machine.ts'
import { median } from './measure.ts'

/** How much of everything. */
export interface Sizes {
  readonly backlog: number
  readonly channels: number
  readonly timers: number
  readonly keys: number
  /** Records that hold their keys, in one group: as many as a group may. */
  readonly held: number
  /** Messages that pass through where throughput is compared. */
  readonly flow: number
  /** Messages in each of `churnRounds` parts of a day. */
  readonly churn: number
  readonly churnRounds: number
}

const full: Sizes = {
  backlog: 10_000_000,
  channels: 10_000,
  timers: 1_000_000,
  keys: 1_000_000,
  held: 90_000,
  flow: 300_000,
  churn: 10_000,
  churnRounds: 96,
}

const bytes = 100
const openMsMax = 2_000
const rssMbMax = 300
const empty = 'empty directory'

/** What is profiled: reading a backlog. */
export const profiled = (): Promise<unknown> =>
  withDirectory(async (dir) => {
    await run('fill', { dir, count: 1_000_000, bytes })
    return run('drain', { dir, count: 1_000_000, bytes })
  })

/** The embedded engine where there is very much of something. Each step is a process of its own, so that its memory is, too. */
export async function bench(rounds: number, sizes: Sizes = full): Promise<BenchDocument> {
  mkdirSync(scratchRoot, { recursive: true })
  const machine = machineOf(scratchRoot)
  const [loadBefore = 0] = loadavg()
  const results = [
    ...(await backlog(rounds, sizes)),
    ...(await channels(rounds, sizes)),
    ...(await timers(rounds, sizes)),
    ...(await keys(rounds, sizes)),
    ...(await churn(sizes)),
  ]
  const method = {
    rounds,
    figure: 'throughput: median of rounds, in turn with an empty directory; the rest: once, in a process of its own',
    'bytes of a body': bytes,
    memory:
      'the most that was seen, every 20 ms; mapped: pages of the data file, which the kernel takes back when asked',
    'load average before': Math.round(loadBefore * 100) / 100,
    ...Object.fromEntries(Object.entries(sizes)),
  }
  return { bench: 'limits', machine, method, results }
}

function backlog(rounds: number, { backlog: count, flow }: Sizes): Promise<CaseResult[]> {
  return withDirectory(async (dir) => {
    const name = `${text(count)} messages wait`
    const filled = await run('fill', { dir, count, bytes })
    const opened = await run('open', { dir, count, bytes })
    const beside = await besideEmpty({ dir, name, rounds, flow })
    const drained = await run('drain', { dir, count, bytes })
    return [
      rate(`${name}: publishing them`, filled, undefined),
      ...memory(`${name}: publishing them`, filled),
      ...opening(name, opened),
      ...beside,
      rate(`${name}: handling them`, drained, undefined),
      ...memory(`${name}: handling them`, drained),
    ]
  })
}

function channels(rounds: number, { channels: count, flow }: Sizes): Promise<CaseResult[]> {
  return withDirectory(async (dir) => {
    const name = `${text(count)} channels with a group each`
    await run('channels', { dir, count, bytes })
    const opened = await run('open', { dir, count, bytes })
    const beside = await besideEmpty({ dir, name, rounds, flow })
    const over = await run('overChannels', { dir, count: flow, channels: count, bytes })
    const all = `${name}: through all of them in turn, each with a member`
    return [...opening(name, opened), ...beside, rate(all, over, undefined), ...memory(all, over, null)]
  })
}

function timers(rounds: number, { timers: count, flow }: Sizes): Promise<CaseResult[]> {
  return withDirectory(async (dir) => {
    const name = `${text(count)} scheduled`
    const scheduled = await run('timers', { dir, count, bytes })
    const opened = await run('open', { dir, count, bytes })
    const counted = await run('lag', { dir, count, bytes })
    const beside = await besideEmpty({ dir, name, rounds, flow })
    const due = await run('timersDue', { dir, count, bytes })
    return [
      rate(`${name}: scheduling them`, scheduled, undefined),
      ...memory(`${name}: scheduling them`, scheduled),
      ...opening(name, opened),
      resultOf({ case: `${name}: counting them`, unit: 'ms', ours: counted.lagMs ?? Number.NaN }),
      ...beside,
      rate(`${name}: all due at once`, due, undefined),
      ...memory(`${name}: all due at once`, due),
      resultOf({ case: `${name}: all due at once, longest stall`, unit: 'ms', ours: due.stallMs ?? Number.NaN }),
      resultOf({ case: `${name}: all due at once, slowest publish`, unit: 'ms', ours: due.latencyMsMax ?? Number.NaN }),
    ]
  })
}

async function keys(rounds: number, { keys: count, held, flow }: Sizes): Promise<CaseResult[]> {
  const waiting = await withDirectory(async (dir) => {
    const name = `${text(count)} keys wait`
    const filled = await run('keys', { dir, count, bytes })
    const opened = await run('open', { dir, count, bytes })
    const beside = await besideEmpty({ dir, name, rounds, flow })
    const drained = await run('drain', { dir, count, bytes })
    return [
      ...memory(`${name}: publishing them`, filled),
      ...opening(name, opened),
      ...beside,
      rate(`${name}: handling them`, drained, undefined),
      ...memory(`${name}: handling them`, drained),
    ]
  })
  const holding = await withDirectory(async (dir) => {
    const name = `${text(held)} keys held by records that wait for their retries`
    const group = { dir, count: held, groups: 1, bytes }
    const failed = await run('hold', { ...group, delayMs: 3_600_000 })
    const opened = await run('open', group)
    const released = await run('release', group)
    return [
      ...memory(`${name}: failing them`, failed),
      ...opening(name, opened),
      rate(`${name}: all due at once`, released, undefined),
      ...memory(`${name}: all due at once`, released),
    ]
  })
  return [...waiting, ...holding]
}

function churn({ churn: count, churnRounds: parts }: Sizes): Promise<CaseResult[]> {
  return withDirectory(async (dir) => {
    const figures = await run('churn', { dir, count, rounds: parts, bytes: 300 })
    const { fileMbAfterAQuarter = Number.NaN, fileMbMax = Number.NaN } = figures
    const name = `a day of ${text(count * parts)} messages with retries, timers and retention`
    return [
      resultOf({
        case: `${name}: largest data file`,
        unit: 'MB',
        ours: fileMbMax,
        peers: { 'after a quarter of the day': fileMbAfterAQuarter },
        goal: { max: Math.ceil(fileMbAfterAQuarter * 1.2) },
      }),
      ...memory(name, figures),
    ]
  })
}

/** Throughput of another channel beside what there is so much of, in turn with that of an empty directory. */
async function besideEmpty(of: {
  readonly dir: string
  readonly name: string
  readonly rounds: number
  readonly flow: number
}): Promise<CaseResult[]> {
  const [ours, theirs]: [Figures[], Figures[]] = [[], []]
  for (let round = 0; round < of.rounds; round++) {
    ours.push(await run('flow', { dir: of.dir, count: of.flow, bytes }))
    theirs.push(await withDirectory((dir) => run('flow', { dir, count: of.flow, bytes })))
  }
  const middle = (all: readonly Figures[], figure: string): number =>
    median(all.map((each) => each[figure] ?? Number.NaN))
  const name = `${of.name}: through another channel`
  const last = ours.at(-1) ?? {}
  return [
    resultOf({
      case: name,
      unit: 'msg/s',
      ours: middle(ours, 'perSecond'),
      peers: { [empty]: middle(theirs, 'perSecond') },
      goal: { min: 0.9, of: empty },
    }),
    resultOf({
      case: `${name}, main thread`,
      unit: 'µs/msg',
      ours: middle(ours, 'cpuUs'),
      peers: { [empty]: middle(theirs, 'cpuUs') },
    }),
    ...memory(name, last),
  ]
}

const text = (count: number): string => count.toLocaleString('en')

function rate(name: string, figures: Figures, goal: Goal | undefined): CaseResult {
  const ours = figures.perSecond ?? Number.NaN
  return resultOf({ case: name, unit: 'msg/s', ours, ...(goal && { goal }) })
}

function opening(name: string, figures: Figures): CaseResult[] {
  const ours = figures.openMs ?? Number.NaN
  return [
    resultOf({ case: `${name}: opening`, unit: 'ms', ours, goal: { max: openMsMax } }),
    ...memory(`${name}: open`, figures),
  ]
}

function memory(name: string, figures: Figures, goal: Goal | null = { max: rssMbMax }): CaseResult[] {
  const { rssMb = Number.NaN, anonMb = Number.NaN, fileMb = Number.NaN } = figures
  const peers = { 'allocated alone': anonMb, 'mapped alone': fileMb }
  return [resultOf({ case: `${name}, memory`, unit: 'MB', ours: rssMb, peers, ...(goal && { goal }) })]
}
