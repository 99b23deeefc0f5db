import { type CaseResult, type Figures, type Goal, resultOf } from '../document.ts'
import { median } from '../measure.ts'
import type { ContestantName } from './contestants.ts'

/** The figures of every round, by contestant. */
export type Rounds<T> = Readonly<Partial<Record<ContestantName, readonly T[]>>>

/** A case and one of its figures, the median of the rounds. */
export interface Row<T> extends Omit<Figures, 'ours' | 'peers' | 'limit' | 'goal'> {
  readonly rounds: Rounds<T>
  readonly figure: (of: T) => number
  /** What the machine can do at best; its row is the limit. */
  readonly limit?: ContestantName
}

/** Our figure beside those of all others. */
export function rowOf<T>({ rounds, figure, limit, ...row }: Row<T>, goal?: Goal): CaseResult {
  const medians = mediansOf(rounds, figure)
  const { ours = Number.NaN, ...others } = medians
  const peers = Object.fromEntries(Object.entries(others).filter(([name]) => name !== limit)) as Record<string, number>
  const best = limit === undefined ? undefined : medians[limit]
  return resultOf({
    ...row,
    ours,
    peers,
    ...(limit !== undefined && best !== undefined && { limit: { name: limit, value: best } }),
    ...(goal && { goal }),
  })
}

function mediansOf<T>(rounds: Rounds<T>, figure: (of: T) => number): Partial<Record<ContestantName, number>> {
  const entries = Object.entries(rounds) as [ContestantName, readonly T[]][]
  return Object.fromEntries(entries.map(([name, figures]) => [name, median(figures.map(figure))]))
}
