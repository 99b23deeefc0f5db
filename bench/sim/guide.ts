import { betterText, type ComparedFigure, cellsOf, type SimDocument } from './document.ts'

/** A language that the guide is written in. */
export type Language = 'en' | 'zh'

const headings: Readonly<Record<Language, { readonly figures: string[]; readonly worse: string[] }>> = {
  en: {
    figures: ['', '', 'success', 'p50', 'p99', 'attempts per call', 'recovered after', 'in the worst run', 'goodput'],
    worse: ['scenario', 'figure', 'ours', 'better'],
  },
  zh: {
    figures: ['', '', '成功率', 'p50', 'p99', '每次调用的尝试数', '恢复用时', '最差一次', '有效吞吐'],
    worse: ['场景', '指标', '我们', '更好的'],
  },
}

const figureNames: Readonly<Record<ComparedFigure, string>> = {
  success: '成功率',
  p50: 'p50',
  p99: 'p99',
  'attempts per call': '每次调用的尝试数',
  'time to recover': '恢复用时',
}

/** The tables of the guide, by the names that it has them under. */
export function tablesOf({ scenarios, worse }: SimDocument, language: Language): Readonly<Record<string, string>> {
  const { figures, worse: worseHeadings } = headings[language]
  const rows = scenarios.flatMap(({ name, rows }) =>
    rows.map((row, at) => {
      const [contestant = '', ...cells] = cellsOf(row)
      return [at === 0 ? `**${name}**` : '', contestant, ...cells]
    }),
  )
  const figureName = (figure: ComparedFigure): string => (language === 'en' ? figure : figureNames[figure])
  const worseRows = worse.map(({ scenario, figure, compared, ours, better }) => [
    scenario,
    figureName(figure),
    `${compared} ${ours}`,
    betterText(better),
  ])
  return { figures: markdownOf(figures, rows), worse: markdownOf(worseHeadings, worseRows) }
}

/**
 * A text with its generated parts replaced: what stands between `<!-- simulated: name -->` and `<!-- end -->`.
 * @throws Error when a part is missing, so that nothing is left to grow old
 */
export function withTables(text: string, tables: Readonly<Record<string, string>>): string {
  return Object.entries(tables).reduce((before, [name, table]) => {
    const [begin, end] = [`<!-- simulated: ${name} -->`, '<!-- end -->']
    const from = before.indexOf(begin)
    const to = before.indexOf(end, from)
    if (from < 0 || to < 0) throw new Error(`the guide has no part '${begin}' … '${end}'`)
    return `${before.slice(0, from)}${begin}\n${table}\n${before.slice(to)}`
  }, text)
}

function markdownOf(headings: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
  return [line(headings), `|${'---|'.repeat(headings.length)}`, ...rows.map(line)].join('\n')
}
