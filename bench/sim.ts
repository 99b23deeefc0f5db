import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { contestants, ours } from './sim/contestants.ts'
import { documentOf, rowOf, type ScenarioResult, type SimDocument } from './sim/document.ts'
import { figuresOf, type Series, seriesOf } from './sim/figures.ts'
import { type Language, tablesOf, withTables } from './sim/guide.ts'
import { svgOf } from './sim/plot.ts'
import { simulate } from './sim/run.ts'
import { type Scenario, scenarios } from './sim/scenarios.ts'

const guides = join(import.meta.dirname, '../docs/guides')

const languages: Readonly<Record<string, Language>> = { 'resilience.md': 'en', 'resilience.zh-CN.md': 'zh' }

let latest: SimDocument | undefined

/** What the plots show: the runs of the first seed. */
const drawn = new Map<Scenario, { readonly contestant: string; readonly series: Series }[]>()

/** Everybody in every scenario, once for each seed from 1 on. Takes no notice of the machine. */
export async function bench(seeds: number): Promise<SimDocument> {
  const results: ScenarioResult[] = []
  for (const scenario of scenarios) results.push(await played(scenario, seeds))
  latest = documentOf(results, {
    seeds,
    contestants: [...new Set([...contestants, ...scenarios.flatMap(({ variants = [] }) => variants)])],
  })
  return latest
}

/** What is run to see where the time goes. */
export async function profiled(): Promise<unknown> {
  return bench(1)
}

/** Keeps the plots and the tables of the latest run in the guides. */
export function saved(): void {
  if (latest === undefined) return
  mkdirSync(join(guides, 'plots'), { recursive: true })
  for (const [scenario, lines] of drawn) {
    writeFileSync(join(guides, 'plots', `${scenario.name.replaceAll(' ', '-')}.svg`), svgOf(scenario, lines))
  }
  for (const [name, language] of Object.entries(languages)) {
    const path = join(guides, name)
    writeFileSync(path, withTables(readFileSync(path, 'utf8'), tablesOf(latest, language)))
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
  const { name, what, compared = ours } = scenario
  return { name, what, compared: compared.name, rows }
}
