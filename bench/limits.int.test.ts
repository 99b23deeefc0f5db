import { expect, it } from 'vitest'
import { bench } from './limits.ts'

it('the benchmark of limits runs, at a small scale, and says of each bound whether it is kept', async () => {
  const sizes = {
    backlog: 20_000,
    channels: 100,
    timers: 5_000,
    keys: 5_000,
    held: 1_000,
    flow: 5_000,
    churn: 300,
    churnRounds: 16,
  }
  const { results } = await bench(1, sizes)
  const goals = results.filter(({ goal }) => goal !== null)
  expect(goals.length).toBeGreaterThan(20)
  // What follows from neither the machine's speed nor its load.
  const kept = results.filter(({ case: name }) => /largest data file/.test(name))
  expect(kept.map(({ met }) => met)).toEqual([true])
  for (const { ours } of results) expect(ours).not.toBeNaN()
}, 120_000)
