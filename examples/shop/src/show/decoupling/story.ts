import { join } from 'node:path'
import type { Account, Claim, Figure, StoryOptions } from '../account.ts'
import type { Chart } from '../charts/chart.ts'
import { senderTo } from '../load/request.ts'
import { isAnswered, tallyOf } from '../load/tally.ts'
import { pause, type Shot, volley } from '../load/volley.ts'
import { type OpenStage, onStages } from '../stage/open.ts'
import type { Quiet } from '../stage/settling.ts'
import type { Recovery } from './stage.ts'

const ordersPerS = 50
const quietMs = 1_000
const stepMs = 100

/** What came of the load on one of the two. */
interface Run {
  readonly shots: readonly Shot[]
  /** Orders that waited for the inventory, step by step. */
  readonly backlog: readonly number[]
  readonly recovery: Recovery
  readonly quiet: Quiet
}

/**
 * The inventory is down. Where an order needs its answer, there are no orders; where it follows from events, orders go on,
 * wait in its queue, and are caught up with. Both shops run at the same time, under the same load.
 */
export async function decoupling({ dir, seconds = 8 }: StoryOptions): Promise<Account> {
  const program = new URL('stage.ts', import.meta.url)
  const variants = [
    { dir: join(dir, 'asking'), coupled: true },
    { dir: join(dir, 'telling'), coupled: false },
  ]
  const runs = await onStages(program, variants, (...stages) =>
    Promise.all(stages.map((stage) => run(stage, seconds * 1_000))),
  )
  return account(runs, seconds)
}

async function run(stage: OpenStage, outageMs: number): Promise<Run> {
  const sender = senderTo(stage.url)
  const lines = [{ productId: 'T1', quantity: 1, unitPricePence: 995 }]
  const order = (no: number) =>
    sender.send({ method: 'POST', path: '/api/orders', body: { orderNo: String(no + 1), lines } })
  try {
    const load = volley([{ perS: ordersPerS, forMs: quietMs + outageMs + quietMs }], order)
    const recovered = outage(stage, outageMs)
    const backlog = await backlogUntil(Promise.all([load, recovered]), stage)
    return { shots: await load, backlog, recovery: await recovered, quiet: await stage.ask<Quiet>('settle') }
  } finally {
    sender.close()
  }
}

async function outage(stage: OpenStage, outageMs: number): Promise<Recovery> {
  await pause(quietMs)
  await stage.ask('fail')
  await pause(outageMs)
  return stage.ask<Recovery>('recover')
}

async function backlogUntil(over: Promise<unknown>, stage: OpenStage): Promise<number[]> {
  const backlog: number[] = []
  let isOver = false
  const end = over.finally(() => {
    isOver = true
  })
  while (!isOver) {
    const [waiting] = await Promise.all([stage.ask<number>('backlog'), pause(stepMs)])
    backlog.push(waiting)
  }
  await end
  return backlog
}

function account(runs: readonly Run[], seconds: number): Account {
  return {
    story: 'decoupling',
    scene: `The inventory is down for ${seconds} s, while ${ordersPerS} orders come each second. Asking: an order is refused where the inventory does not answer. Telling: it follows from events, and has the last word later.`,
    variants: ['asking', 'telling'],
    figures: figuresOf(runs, seconds),
    charts: [chartOf(runs)],
    claims: claimsOf(runs),
  }
}

function figuresOf(runs: readonly Run[], seconds: number): Figure[] {
  const of = (what: string, unit: string, figureOf: (run: Run) => number | undefined): Figure => {
    return { what, unit, values: runs.map(figureOf) }
  }
  const during = ({ shots }: Run) =>
    tallyOf(shots.filter(({ dueMs }) => dueMs >= quietMs && dueMs < quietMs + seconds * 1_000))
  return [
    of('orders sent during the outage', '', (run) => during(run).sent),
    of('  accepted', '', (run) => during(run).answered),
    of('  refused: sales lost', '', (run) => during(run).refused),
    of('  wait, p99', 'ms', (run) => during(run).p99Ms),
    of('waiting for the inventory, at most', '', ({ backlog }) => Math.max(...backlog)),
    of('caught up within', 'ms', ({ recovery }) => (recovery.late === 0 ? undefined : recovery.tookMs)),
    of('orders accepted in all', '', ({ shots }) => shots.filter(isAnswered).length),
    of('  shipped in the end', '', ({ quiet }) => quiet.shipped),
    of('  lost', '', (run) => run.shots.filter(isAnswered).length - run.quiet.orders),
  ]
}

function chartOf(runs: readonly Run[]): Chart {
  const [asking, telling] = runs.map(({ backlog }) => backlog)
  return {
    title: 'Orders waiting for the inventory',
    unit: 'orders',
    stepMs,
    series: [
      { name: 'asking', values: asking ?? [] },
      { name: 'telling', values: telling ?? [] },
    ],
  }
}

function claimsOf([asking, telling]: readonly Run[]): Claim[] {
  const accepted = telling!.shots.filter(isAnswered).length
  return [
    { what: 'asking: orders are refused', holds: asking!.shots.some((shot) => !isAnswered(shot)) },
    { what: 'telling: every order is accepted', holds: accepted === telling!.shots.length },
    { what: 'telling: orders wait for the inventory when it comes back', holds: telling!.recovery.late > 0 },
    { what: 'telling: no order is lost, all are shipped', holds: telling!.quiet.shipped === accepted },
    { what: 'telling: the books balance', holds: telling!.quiet.balanced },
  ]
}
