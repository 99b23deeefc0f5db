import { type Chart, peakOf, type Series } from './chart.ts'

const blocks = [' ', '▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'] as const
const eighths = 8

/** How large a chart is drawn, in characters. */
export interface ChartSize {
  readonly columns: number
  /** Per series. */
  readonly rows: number
}

/** A chart for a terminal: a strip of bars for each series, all to one scale, above an axis of seconds. */
export function terminalChart(chart: Chart, size: ChartSize = { columns: 64, rows: 4 }): string {
  const peak = peakOf(chart)
  const longest = Math.max(...chart.series.map(({ values }) => values.length))
  const { columns } = size
  const strips = chart.series.map((series) =>
    strip(series, { peak, longest, columns, rows: size.rows, unit: chart.unit }),
  )
  const seconds = (longest * chart.stepMs) / 1_000
  const axis = `0${`${rounded(seconds)} s`.padStart(columns - 1)}`
  return [chart.title, ...strips, `  ${axis}`].join('\n')
}

interface Frame extends ChartSize {
  readonly peak: number
  readonly longest: number
  readonly unit: string
}

function strip({ name, values }: Series, { peak, longest, columns, rows, unit }: Frame): string {
  const bars = Array.from({ length: columns }, (_, column) => {
    const from = Math.floor((column * longest) / columns)
    const to = Math.max(from + 1, Math.floor(((column + 1) * longest) / columns))
    const most = Math.max(0, ...values.slice(from, to))
    // What is not nothing is seen.
    return most === 0 ? 0 : Math.max(1, Math.round((most / peak) * rows * eighths))
  })
  const lines = Array.from({ length: rows }, (_, row) => {
    const floor = (rows - 1 - row) * eighths
    return `  ${bars.map((bar) => blocks[Math.min(eighths, Math.max(0, bar - floor))]).join('')}`
  })
  const own = Math.max(0, ...values)
  return [`  ${name}, at most ${rounded(own)} ${unit}`, ...lines].join('\n')
}

function rounded(value: number): string {
  return value.toLocaleString('en-GB', { maximumFractionDigits: value < 10 ? 1 : 0 })
}
