import type { Chart } from './charts/chart.ts'

/** The stories there are. */
export type StoryName = 'avalanche' | 'decoupling' | 'order' | 'async' | 'peak'

/** One figure, once per variant that was run. */
export interface Figure {
  readonly what: string
  /** `ms`, `/s`, … or empty for a count. */
  readonly unit: string
  /** As many as there are variants; undefined where the question makes no sense. */
  readonly values: readonly (number | undefined)[]
}

/** Something that must hold on every machine, however slow, and whether it did. */
export interface Claim {
  readonly what: string
  readonly holds: boolean
}

/** What a story measured. */
export interface Account {
  readonly story: StoryName
  /** What was done to whom. */
  readonly scene: string
  /** What was compared, the naive one first. */
  readonly variants: readonly string[]
  readonly figures: readonly Figure[]
  readonly charts: readonly Chart[]
  readonly claims: readonly Claim[]
}

/** How a story is run. */
export interface StoryOptions {
  /** An empty directory that is its own. */
  readonly dir: string
  /** How long its trouble lasts, in seconds; each story has a default of its own. */
  readonly seconds?: number | undefined
}

/** A story: runs the shop for real, and tells what it measured. */
export type Story = (options: StoryOptions) => Promise<Account>
