import { join } from 'node:path'
import { embedded } from '@posthaste/embedded'
import { consoleLog, type EventContract, posthaste } from 'posthaste'
import { Store } from '../../store/store.ts'
import type { Account, Claim, Figure, StoryOptions } from '../account.ts'
import { type Transfer, Transferred, TransferredInOrder } from './contracts.ts'
import { type Balance, balances, book } from './ledger.ts'

const accounts = 50
const transfersPerS = 200
const parallel = 16
const warmUps = 200

/** What came of the transfers. */
interface Run {
  readonly tookMs: number
  readonly balances: readonly Balance[]
}

interface Variant {
  readonly name: string
  readonly contract: typeof Transferred | typeof TransferredInOrder
  readonly concurrency: number
}

const variants: readonly Variant[] = [
  { name: `no key, ${parallel} at a time`, contract: Transferred, concurrency: parallel },
  { name: 'no key, one at a time', contract: Transferred, concurrency: 1 },
  { name: `by account, ${parallel} at a time`, contract: TransferredInOrder, concurrency: parallel },
]

/**
 * Money comes to accounts and leaves them again. Handled in parallel, withdrawals overtake the deposits that cover them;
 * handled one after the other, they take their time. Keyed by account, they are in order and in parallel.
 */
export async function order({ dir, seconds = 5 }: StoryOptions): Promise<Account> {
  const transfers = transfersOf((seconds * transfersPerS) / 2)
  // Code runs slower the first times, and which variant is first should not matter.
  await run(variants[2]!, transfers.slice(0, warmUps), join(dir, 'warm-up'))
  const runs: Run[] = []
  for (const [at, variant] of variants.entries()) runs.push(await run(variant, transfers, join(dir, String(at))))
  return {
    story: 'order',
    scene: `${transfers.length.toLocaleString('en-GB')} transfers of ${accounts} accounts, each paid into and out of again, are published in order and booked once another bank has confirmed them, which takes 1 to 9 ms.`,
    variants: variants.map(({ name }) => name),
    figures: figuresOf(runs, transfers.length),
    charts: [],
    claims: claimsOf(runs, transfers.length),
  }
}

/**
 * One account after the other is paid into and out of right away. None ever holds less than nothing, as long as its order
 * is kept.
 */
function transfersOf(pairs: number): Transfer[] {
  return Array.from({ length: pairs }, (_, at): Transfer[] => {
    const account = `A${at % accounts}`
    const no = 2 * Math.floor(at / accounts) + 1
    return [
      { account, no, pence: 1_000 },
      { account, no: no + 1, pence: -1_000 },
    ]
  }).flat()
}

async function run({ contract, concurrency }: Variant, transfers: readonly Transfer[], dir: string): Promise<Run> {
  const store = new Store(join(dir, 'state'))
  const engine = embedded({ dir: join(dir, 'engine') })
  const app = posthaste({ name: 'bank', engine, signals: false, log: consoleLog({ level: 'warn' }) })
  try {
    const all = countdown(transfers.length)
    app.on(contract as EventContract, { group: 'ledger', concurrency }, async (transfer) => {
      await book(store, transfer as Transfer)
      all.one()
    })
    await app.start()
    const beganAtMs = performance.now()
    await Promise.all([all.done, ...transfers.map((transfer) => app.publish(contract, transfer))])
    const tookMs = performance.now() - beganAtMs
    return { tookMs, balances: [...store.list(balances)].map(([, balance]) => balance) }
  } finally {
    await app.close()
    await store.close()
  }
}

function countdown(from: number) {
  let left = from
  let end: () => void = () => undefined
  const done = new Promise<void>((resolve) => {
    end = resolve
  })
  return {
    done,
    one(): void {
      left -= 1
      if (left === 0) end()
    },
  }
}

function figuresOf(runs: readonly Run[], count: number): Figure[] {
  return [
    { what: 'booked after a later one', unit: '', values: runs.map((run) => sumOf(run, 'inversions')) },
    { what: 'overdrafts', unit: '', values: runs.map((run) => sumOf(run, 'overdrafts')) },
    { what: 'booked', unit: '', values: runs.map((run) => sumOf(run, 'booked')) },
    { what: 'took', unit: 'ms', values: runs.map(({ tookMs }) => tookMs) },
    { what: 'throughput', unit: '/s', values: runs.map(({ tookMs }) => (count / tookMs) * 1_000) },
  ]
}

function claimsOf([unordered, single, keyed]: readonly Run[], count: number): Claim[] {
  const isKept = (run: Run): boolean => sumOf(run, 'inversions') === 0 && sumOf(run, 'overdrafts') === 0
  return [
    { what: 'without a key, in parallel: the order is violated', holds: sumOf(unordered!, 'inversions') > 0 },
    { what: 'without a key, in parallel: accounts are overdrawn', holds: sumOf(unordered!, 'overdrafts') > 0 },
    { what: 'one at a time: the order holds', holds: isKept(single!) },
    { what: 'by account, in parallel: the order holds', holds: isKept(keyed!) },
    {
      what: 'nothing is lost, and nothing booked twice',
      holds: [unordered, single, keyed].every((run) => sumOf(run!, 'booked') === count),
    },
  ]
}

function sumOf({ balances: all }: Run, figure: keyof Balance): number {
  return all.reduce((sum, balance) => sum + balance[figure], 0)
}
