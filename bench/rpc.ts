import { execFileSync } from 'node:child_process'
import { loadavg } from 'node:os'
import process from 'node:process'
import type { BenchDocument, CaseResult } from './document.ts'
import { resultOf } from './document.ts'
import { machineOf } from './machine.ts'
import { interleaved } from './measure.ts'
import { makeCertificates } from './rpc/certificates.ts'
import { type ContestantName, contestants } from './rpc/contestants.ts'
import { rowOf } from './rpc/figures.ts'
import { type StreamFigures, unary } from './rpc/load.ts'
import { Match, type UnaryResult } from './rpc/match.ts'
import { installPeers } from './rpc/peers.ts'

/** How much of everything. */
export interface Amounts {
  /** Milliseconds of each figure and round. */
  readonly ms: number
  /** Milliseconds that each contestant is warmed up for. */
  readonly warmMs: number
  /**
   * Milliseconds of the same work before each figure, which do not count: a process that has waited for its turn begins with
   * a heap that V8 has made small, and collects garbage several times as often until it has grown again.
   */
  readonly settleMs: number
  /** Connections that do nothing. */
  readonly connections: number
  /** Who takes part; raw TCP does where it is a limit. Others than ours are installed for it. */
  readonly contestants: readonly ContestantName[]
}

const own: readonly ContestantName[] = ['ours', 'ours over TLS', 'ours over a Unix socket']
const peers: readonly ContestantName[] = [
  ...(['node:http and undici', 'Fastify', 'grpc-js', 'connect-node', 'Moleculer', 'NestJS'] as const),
]
const amounts: Amounts = {
  ms: 700,
  warmMs: 1_500,
  settleMs: 700,
  connections: connectionsWanted(),
  contestants: [...own, ...peers],
}
const many = 64
const inFlights = [1, many, 512]
const noteBytes = { small: 0, '1 KiB': 1_024, '64 KiB': 65_536 }

const withStreams: ReadonlySet<ContestantName> = new Set([...own, 'grpc-js', 'connect-node'])

/** Unary calls with both sides in this process, so that one profile has both. */
export async function profiled(): Promise<void> {
  const contestant = await contestants.ours()
  const caller = await contestant.connect(await contestant.serve())
  await unary(caller, { kind: 'unary', inFlight: many, noteBytes: noteBytes.small, ms: 5_000 })
  await contestant.close?.()
}

/** Calls over link beside other ways to make them: client and server in two processes, the same checks in all. */
export async function bench(rounds: number, of: Amounts = amounts): Promise<BenchDocument> {
  const [loadBefore = 0] = loadavg()
  if (of.contestants.some((name) => peers.includes(name))) installPeers()
  const certificates = makeCertificates()
  const names = of.contestants.filter((name) => certificates !== undefined || name !== 'ours over TLS')
  const matches: Match[] = []
  const env = { BENCH_RPC_CERTIFICATES: certificates?.dir }
  try {
    for (const name of names) matches.push(await Match.begin(name, env))
    for (const match of matches) await match.unary({ inFlight: many, noteBytes: 0, ms: of.warmMs })
    const raw = await Match.begin('raw TCP')
    matches.push(raw)
    // First, so that a machine which cannot have as many connections says so at once.
    const idle = await idleResults(of)
    const results = [
      ...(await unaryResults(matches, rounds, of)),
      ...(await streamResults(matches, rounds, of)),
      ...idle,
    ]
    return { bench: 'rpc', machine: machineOf(import.meta.dirname), method: methodOf(rounds, of, loadBefore), results }
  } finally {
    await Promise.all(matches.map((match) => match.stop()))
    certificates?.remove()
  }
}

function methodOf(rounds: number, of: Amounts, loadBefore: number): BenchDocument['method'] {
  return {
    rounds,
    figure: 'median of rounds, contestants in turn; server and client of each in a process of its own',
    'milliseconds for each figure and round': of.ms,
    'milliseconds of the same work before it': of.settleMs,
    'calls under way': many,
    'order without its note, as JSON': '100 B',
    'validated (zod)': 'input and output, on both sides, in all contestants alike',
    'load average before': Math.round(loadBefore * 100) / 100,
  }
}

/** Contestants in turn, those that streams are asked of or all that make calls. */
function played<T>(matches: readonly Match[], rounds: number, play: (match: Match) => Promise<T>) {
  const entries = matches.map((match) => [match.name, () => play(match)] as const)
  return interleaved<ContestantName, T>(rounds, Object.fromEntries(entries) as Record<ContestantName, () => Promise<T>>)
}

const callers = (matches: readonly Match[]): Match[] => matches.filter(({ name }) => name !== 'raw TCP')

async function unaryResults(
  matches: readonly Match[],
  rounds: number,
  { ms, settleMs }: Amounts,
): Promise<CaseResult[]> {
  const results: CaseResult[] = []
  const play = async (match: Match, task: Parameters<Match['unary']>[0]): Promise<UnaryResult> => {
    await match.unary({ ...task, ms: settleMs })
    return match.unary(task)
  }
  for (const inFlight of inFlights) {
    const task = { inFlight, noteBytes: noteBytes.small, ms }
    const found = await played(callers(matches), rounds, (match) => play(match, task))
    const name = `unary, 100 B, ${inFlight} under way`
    if (inFlight === many) results.push(...throughputRows(name, found))
    const us = { unit: 'µs', rounds: found }
    results.push(
      rowOf({ ...us, case: `${name}: latency p50`, figure: ({ p50Us }) => p50Us }),
      rowOf({ ...us, case: `${name}: latency p99`, figure: ({ p99Us }) => p99Us }),
    )
  }
  for (const size of ['1 KiB', '64 KiB'] as const) {
    const task = { inFlight: many, noteBytes: noteBytes[size], ms }
    const found = await played(callers(matches), rounds, (match) => play(match, task))
    const row = { unit: 'calls/s', rounds: found, figure: rate }
    results.push(rowOf({ ...row, case: `unary, ${size}, ${many} under way` }))
  }
  return results
}

const rate = ({ perSecond }: { readonly perSecond: number }): number => perSecond

type Unaries = Record<ContestantName, UnaryResult[]>

function throughputRows(name: string, found: Unaries): CaseResult[] {
  const row = { unit: 'calls/s', rounds: found, figure: rate }
  const others = (peer: ContestantName, min: number): CaseResult[] =>
    found[peer] === undefined ? [] : [rowOf({ ...row, case: `${name}, beside ${peer}` }, { min, of: peer })]
  return [
    rowOf({ ...row, case: name }, { min: 150_000 }),
    ...others('node:http and undici', 4),
    ...others('grpc-js', 15),
    ...others('Moleculer', 3),
    rowOf({ ...row, case: `${name}: server`, unit: 'µs/call', figure: ({ serverUs }) => serverUs }),
    rowOf({ ...row, case: `${name}: client`, unit: 'µs/call', figure: ({ clientUs }) => clientUs }),
  ]
}

async function streamResults(
  matches: readonly Match[],
  rounds: number,
  { ms, settleMs }: Amounts,
): Promise<CaseResult[]> {
  const players = matches.filter(({ name }) => withStreams.has(name))
  const raw = matches.filter(({ name }) => name === 'raw TCP')
  const play = async (match: Match, noteBytes: number): Promise<StreamFigures> => {
    await match.stream({ noteBytes, ms: settleMs })
    return match.stream({ noteBytes, ms })
  }
  const small = await played(players, rounds, (match) => play(match, noteBytes.small))
  const large = await played([...players, ...raw], rounds, (match) => play(match, noteBytes['64 KiB']))
  const megabytes = ({ bytesPerSecond }: StreamFigures): number => bytesPerSecond / 1e6
  return [
    rowOf({ case: 'stream, items of 100 B', unit: 'items/s', rounds: small, figure: rate }),
    rowOf({ case: 'stream, items of 64 KiB', unit: 'MB/s', rounds: large, figure: megabytes, limit: 'raw TCP' }),
  ]
}

/** Memory of connections that have made one call each and stay. */
async function idleResults({ connections }: Amounts): Promise<CaseResult[]> {
  const bytes = async (name: ContestantName): Promise<number> => {
    const match = await Match.begin(name)
    try {
      return await match.bytesPerConnection(connections)
    } finally {
      await match.stop()
    }
  }
  const kib = { ours: (await bytes('ours')) / 1_024, raw: (await bytes('raw TCP')) / 1_024 }
  const name = `server's memory for each of ${connections} idle connections`
  return [resultOf({ case: name, unit: 'KiB', ours: kib.ours, limit: { name: 'raw TCP', value: kib.raw } })]
}

/** As many as files may be open, less some; `BENCH_RPC_CONNECTIONS` asks for less. */
function connectionsWanted(): number {
  const wanted = Number(process.env.BENCH_RPC_CONNECTIONS ?? 10_000)
  const files = Number(execFileSync('sh', ['-c', 'ulimit -n'], { encoding: 'utf8' }))
  return Number.isFinite(files) ? Math.min(wanted, files - 200) : wanted
}
