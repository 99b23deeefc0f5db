import { type CaseResult, resultOf } from '../document.ts'
import { interleaved, percentile } from '../measure.ts'
import { handledLatencies, publishLatencies } from './ours.ts'
import { putLatencies, syncLatencies } from './peers.ts'

const unit = 'µs'
const percents = [50, 99] as const
const syncName = 'write and fdatasync'

interface Work {
  readonly rounds: number
  /** Of what is done one at a time, per round. */
  readonly samples: number
  readonly bytes: number
}

/** Lets contestants in turn take latencies; those of all rounds but the first are one set. */
async function latencies<Name extends string>(
  rounds: number,
  contestants: Readonly<Record<Name, () => Promise<number[]>>>,
): Promise<Record<Name, number[]>> {
  const figures = await interleaved(rounds, contestants)
  const sets = Object.entries<number[][]>(figures).map(([name, perRound]) => [name, perRound.flat()])
  return Object.fromEntries(sets) as Record<Name, number[]>
}

/** One publish at a time. */
export async function waiting({ rounds, samples, bytes }: Work): Promise<CaseResult[]> {
  const { ours, put, sync } = await latencies(rounds, {
    ours: () => publishLatencies(samples, bytes),
    put: () => putLatencies(samples, bytes),
    sync: () => syncLatencies(samples, bytes),
  })
  return percents.map((percent) =>
    resultOf({
      case: `latency of a single publish, ${bytes} B, p${percent}`,
      unit,
      ours: percentile(ours, percent),
      peers: { 'lmdb put': percentile(put, percent) },
      limit: { name: syncName, value: percentile(sync, percent) },
    }),
  )
}

/** From when it was to be published to its handler, at steady rates, against the one sync that durability needs. */
export async function waitingAtRate({
  rates,
  rounds,
  samples,
  bytes,
}: Work & { readonly rates: readonly { readonly perSecond: number; readonly count: number }[] }): Promise<
  CaseResult[]
> {
  const results: CaseResult[] = []
  for (const rate of rates) {
    const { ours, sync } = await latencies(rounds, {
      ours: () => handledLatencies(rate, bytes),
      sync: () => syncLatencies(samples, bytes),
    })
    const name = `latency of publish to handler, ${bytes} B, ${rate.perSecond.toLocaleString('en')} msg/s`
    for (const percent of percents) {
      const limit = { name: syncName, value: percentile(sync, percent) }
      results.push(resultOf({ case: `${name}, p${percent}`, unit, ours: percentile(ours, percent), limit }))
    }
  }
  return results
}
