import { join } from 'node:path'
import type { Account, Claim, Figure, StoryOptions } from '../account.ts'
import type { Chart } from '../charts/chart.ts'
import { senderTo } from '../load/request.ts'
import { mostWaiting, patienceMs, type Tally, tallyOf, waitingAt } from '../load/tally.ts'
import { pause, type Shot, volley } from '../load/volley.ts'
import { type OpenStage, onStages } from '../stage/open.ts'
import type { Quiet } from '../stage/settling.ts'

const workers = 32
const ordersPerS = 50
const looksPerS = 20
const quietMs = 1_000
const stepMs = 250
const known = '1'

/** What came of the load on one of the two. */
interface Run {
  readonly orders: readonly Shot[]
  readonly looks: readonly Shot[]
  readonly quiet: Quiet
  /** Whether requests waited for a worker when the inventory recovered. */
  readonly exhausted: boolean
}

/**
 * The inventory stalls: it takes questions and answers none. A naive order service waits with it until all its workers do;
 * then it answers nothing at all. Both shops run at the same time, under the same load.
 */
export async function avalanche({ dir, seconds = 20 }: StoryOptions): Promise<Account> {
  const program = new URL('stage.ts', import.meta.url)
  const variants = [{ dir: join(dir, 'naive'), workers }, { dir: join(dir, 'ours') }]
  const runs = await onStages(program, variants, (...stages) =>
    Promise.all(stages.map((stage) => run(stage, seconds * 1_000))),
  )
  return account(runs, seconds)
}

async function run(stage: OpenStage, stallMs: number): Promise<Run> {
  const sender = senderTo(stage.url)
  const order = (orderNo: string) =>
    sender.send({
      method: 'POST',
      path: '/api/orders',
      body: { orderNo, lines: [{ productId: 'T1', quantity: 1, unitPricePence: 995 }] },
    })
  try {
    await order(known)
    const forMs = quietMs + stallMs + quietMs
    const [orders, looks, exhausted] = await Promise.all([
      volley([{ perS: ordersPerS, forMs }], (no) => order(String(no + 2))),
      volley([{ perS: looksPerS, forMs }], () => sender.send({ method: 'GET', path: `/api/orders/${known}` })),
      stallFor(stage, stallMs),
    ])
    return { orders, looks, exhausted, quiet: await stage.ask<Quiet>('settle') }
  } finally {
    sender.close()
  }
}

async function stallFor(stage: OpenStage, stallMs: number): Promise<boolean> {
  await pause(quietMs)
  await stage.ask('stall')
  await pause(stallMs)
  return stage.ask<boolean>('recover')
}

function account(runs: readonly Run[], seconds: number): Account {
  const fromMs = quietMs
  const toMs = quietMs + seconds * 1_000
  const during = (shots: readonly Shot[]): Shot[] => shots.filter(({ dueMs }) => dueMs >= fromMs && dueMs < toMs)
  const orders = runs.map((run) => tallyOf(during(run.orders)))
  const looks = runs.map((run) => tallyOf(during(run.looks)))
  return {
    story: 'avalanche',
    scene: `The inventory answers nothing for ${seconds} s, while ${ordersPerS} orders and ${looksPerS} looks at an order come each second. Naive: no timeout, ${workers} workers. Figures are of what was sent during the stall; "in time" is within ${patienceMs / 1_000} s.`,
    variants: ['naive', 'ours'],
    figures: figuresOf(runs, orders, looks),
    charts: chartsOf(runs),
    claims: claimsOf(runs, toMs),
  }
}

function figuresOf(runs: readonly Run[], orders: readonly Tally[], looks: readonly Tally[]): Figure[] {
  const of = (what: string, unit: string, values: readonly number[]): Figure => ({ what, unit, values })
  return [
    of(
      'orders sent',
      '',
      orders.map(({ sent }) => sent),
    ),
    of(
      '  answered in time',
      '',
      orders.map(({ inTime }) => inTime),
    ),
    of(
      '  wait, median',
      'ms',
      orders.map(({ p50Ms }) => p50Ms),
    ),
    of(
      '  wait, p99',
      'ms',
      orders.map(({ p99Ms }) => p99Ms),
    ),
    of(
      'looks at an order sent',
      '',
      looks.map(({ sent }) => sent),
    ),
    of(
      '  answered in time',
      '',
      looks.map(({ inTime }) => inTime),
    ),
    of(
      '  wait, p99',
      'ms',
      looks.map(({ p99Ms }) => p99Ms),
    ),
    of(
      'most requests waiting at a time',
      '',
      runs.map((run) => mostWaiting([...run.orders, ...run.looks])),
    ),
  ]
}

function chartsOf(runs: readonly Run[]): Chart[] {
  const all = runs.map(({ orders, looks }) => [...orders, ...looks])
  const endMs = Math.max(...all.flat().map(({ endedMs }) => endedMs))
  const times = Array.from({ length: Math.ceil(endMs / stepMs) }, (_, step) => step * stepMs)
  const waiting = (at: number): number[] => times.map((timeMs) => waitingAt(all[at]!, timeMs))
  return [
    {
      title: 'Requests waiting for an answer',
      unit: 'requests',
      stepMs,
      series: [
        { name: 'naive', values: waiting(0) },
        { name: 'ours', values: waiting(1) },
      ],
    },
  ]
}

function claimsOf([naive, ours]: readonly Run[], recoveredMs: number): Claim[] {
  const looksWaiting = waitingAt(naive!.looks, recoveredMs)
  return [
    { what: `naive: all ${workers} workers wait for the inventory when it recovers`, holds: naive!.exhausted },
    { what: 'naive: looks at an order wait with them, which need no inventory', holds: looksWaiting > 1 },
    { what: 'ours: every order is accepted', holds: ours!.orders.every(({ status }) => status === 201) },
    { what: 'ours: every look is answered', holds: ours!.looks.every(({ status }) => status === 200) },
    { what: 'ours: no order is lost', holds: ours!.quiet.orders === ours!.orders.length + 1 },
    { what: 'ours: the books balance', holds: ours!.quiet.balanced },
  ]
}
