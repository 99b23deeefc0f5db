import type { Account, Claim, Figure, StoryOptions } from '../account.ts'
import { type Chart, countPerStep } from '../charts/chart.ts'
import { senderTo } from '../load/request.ts'
import { isAnswered, type Tally, tallyOf } from '../load/tally.ts'
import { type Phase, type Shot, volley } from '../load/volley.ts'
import { type OpenStage, onStages } from '../stage/open.ts'
import type { Quiet } from '../stage/settling.ts'
import { capacityPerS } from './capacity.ts'

const burst = 20
const calmMs = 500
const calmPerS = capacityPerS / 5
const stepMs = 500

/** What came of the burst at one of the two. Times are milliseconds since the load began. */
interface Run {
  readonly shots: readonly Shot[]
  readonly tally: Tally
  readonly paidMs: readonly number[]
  /** Orders that were accepted and not yet paid, at most. */
  readonly backlogMax: number
  readonly quiet: Quiet | undefined
}

/**
 * For a moment, twenty times as many orders come as can be paid. Paid before the answer, most are turned away; taken at
 * once and paid when their turn comes, none is. One after the other, so that each has the machine to itself.
 */
export async function peak({ dir, seconds = 1 }: StoryOptions): Promise<Account> {
  const phases = [
    { perS: calmPerS, forMs: calmMs },
    { perS: burst * capacityPerS, forMs: seconds * 1_000 },
    { perS: calmPerS, forMs: 2 * calmMs },
  ]
  const stage = (name: string): URL => new URL(name, import.meta.url)
  const runs = [
    await onStages(stage('synchronous-stage.ts'), [{}], (checkout) => run(checkout!, phases)),
    await onStages(stage('queued-stage.ts'), [{ dir }], (shop) => run(shop!, phases, 'settle')),
  ]
  return account(runs, seconds)
}

async function run(stage: OpenStage, phases: readonly Phase[], finish?: 'settle'): Promise<Run> {
  const sender = senderTo(stage.url)
  const asked = (no: number): object => {
    const orderNo = String(no + 1)
    return finish === undefined
      ? { orderNo, totalPence: 995 }
      : { orderNo, lines: [{ productId: 'T1', quantity: 1, unitPricePence: 995 }] }
  }
  try {
    const beganAtMs = Date.now()
    const shots = await volley(phases, (no) => sender.send({ method: 'POST', path: '/api/orders', body: asked(no) }))
    const quiet = finish && (await stage.ask<Quiet>(finish))
    const paidMs = (await stage.ask<number[]>('paidAtMs')).map((atMs) => atMs - beganAtMs)
    return { shots, tally: tallyOf(shots), paidMs, backlogMax: backlogMax(shots, paidMs), quiet }
  } finally {
    sender.close()
  }
}

function backlogMax(shots: readonly Shot[], paidMs: readonly number[]): number {
  const came = shots.filter(isAnswered).map(({ sentMs }) => [sentMs, 1] as const)
  const went = paidMs.map((atMs) => [atMs, -1] as const)
  let backlog = 0
  let most = 0
  for (const [, step] of [...came, ...went].sort(([one], [other]) => one - other)) {
    backlog += step
    most = Math.max(most, backlog)
  }
  return most
}

function account(runs: readonly Run[], seconds: number): Account {
  const calmAgainMs = calmMs + seconds * 1_000
  return {
    story: 'peak',
    scene: `The payment gateway can do ${capacityPerS} orders a second. ${calmPerS} come each second, but for ${seconds} s there are ${burst * capacityPerS}. Synchronous: paid before the answer, with 100 places in the line. Queued: taken at once, and paid when their turn comes.`,
    variants: ['synchronous', 'queued'],
    figures: figuresOf(runs, calmAgainMs),
    charts: runs.map((run, at) => chartOf(run, at === 0 ? 'Synchronous' : 'Queued')),
    claims: claimsOf(runs),
  }
}

function figuresOf(runs: readonly Run[], calmAgainMs: number): Figure[] {
  const of = (what: string, unit: string, figureOf: (run: Run) => number): Figure => {
    return { what, unit, values: runs.map(figureOf) }
  }
  return [
    of('orders sent', '', ({ tally }) => tally.sent),
    of('  accepted', '', ({ tally }) => tally.answered),
    of('  turned away', '', ({ tally }) => tally.refused),
    of('  wait, median', 'ms', ({ tally }) => tally.p50Ms),
    of('  wait, p99', 'ms', ({ tally }) => tally.p99Ms),
    of('waiting for payment, at most', '', (run) => run.backlogMax),
    of('paid', '', ({ paidMs }) => paidMs.length),
    of('  the last one after the burst', 'ms', ({ paidMs }) => Math.max(0, ...paidMs) - calmAgainMs),
    of('accepted and lost', '', ({ tally, paidMs }) => tally.answered - paidMs.length),
  ]
}

function chartOf({ shots, paidMs }: Run, name: string): Chart {
  const endMs = Math.max(0, ...paidMs, ...shots.map(({ endedMs }) => endedMs))
  const perS = (atMs: readonly number[]): number[] =>
    countPerStep(atMs, stepMs, endMs).map((count) => (count * 1_000) / stepMs)
  return {
    title: `${name}: orders that come, and orders that are paid`,
    unit: '/s',
    stepMs,
    series: [
      { name: 'come', values: perS(shots.map(({ sentMs }) => sentMs)) },
      { name: 'paid', values: perS(paidMs) },
    ],
  }
}

function claimsOf([synchronous, queued]: readonly Run[]): Claim[] {
  const { tally, paidMs, quiet } = queued!
  return [
    { what: 'synchronous: orders are turned away', holds: synchronous!.tally.refused > 0 },
    { what: 'queued: every order is accepted', holds: tally.answered === tally.sent },
    { what: 'queued: every order is paid, once', holds: paidMs.length === tally.sent },
    { what: 'queued: every order is shipped', holds: quiet?.shipped === tally.sent },
    { what: 'queued: the books balance', holds: quiet?.balanced === true },
  ]
}
