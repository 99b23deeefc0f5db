import { mkdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { contestants } from './sim/contestants.ts'
import { documentOf, rowOf, type ScenarioResult, type SimDocument } from './sim/document.ts'
import { figuresOf, type Series, seriesOf } from './sim/figures.ts'
import { svgOf } from './sim/plot.ts'
import { simulate } from './sim/run.ts'
import { type Scenario, scenarios } from './sim/scenarios.ts'

const plots = join(import.meta.dirname, '../docs/guides/plots')

/** What the plots show: the runs of the first seed. */
const drawn = new Map<Scenario, { readonly contestant: string; readonly series: Series }[]>()

/** Everybody in every scenario, once for each seed from 1 on. Takes no notice of the machine. */
export async function bench(seeds: number): Promise<SimDocument> {
  const results: ScenarioResult[] = []
  for (const scenario of scenarios) results.push(await played(scenario, seeds))
  return documentOf(results, {
    seeds,
    contestants: [...contestants, ...scenarios.flatMap(({ variants = [] }) => variants)],
  })
}

/** What is run to see where the time goes. */
export async function profiled(): Promise<unknown> {
  return bench(1)
}

/** Keeps the plots of the latest run with the guide that shows them. */
export function saved(): void {
  mkdirSync(plots, { recursive: true })
  for (const [scenario, lines] of drawn) {
    writeFileSync(join(plots, `${scenario.name.replaceAll(' ', '-')}.svg`), svgOf(scenario, lines))
  }
}

async function played(scenario: Scenario, seeds: number): Promise<ScenarioResult> {
  const lines: { contestant: string; series: Series }[] = []
  const rows = []
  for (const contestant of [...contestants, ...(scenario.variants ?? [])]) {
    const figures = []
    for (let seed = 1; seed <= seeds; seed++) {
      const run = await simulate(scenario, contestant, seed)
      if (seed === 1) lines.push({ contestant: contestant.name, series: seriesOf(scenario, run) })
      figures.push(figuresOf(scenario, run))
    }
    rows.push(rowOf(contestant.name, figures))
  }
  drawn.set(scenario, lines)
  return { name: scenario.name, what: scenario.what, rows }
}
