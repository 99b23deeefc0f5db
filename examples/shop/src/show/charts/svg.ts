import { type Chart, peakOf, type Series } from './chart.ts'

const width = 720
const height = 300
const margin = { left: 104, right: 24, top: 44, bottom: 40 }
const plotWidth = width - margin.left - margin.right
const plotHeight = height - margin.top - margin.bottom
const colours = ['#c2410c', '#1d4ed8', '#15803d', '#7e22ce'] as const
const ticks = 4

/** Charts as one SVG document, one below the other; readable on light and dark ground. */
export function svgOf(charts: readonly Chart[]): string {
  const total = height * charts.length
  const drawn = charts.map((chart, at) => `<g transform="translate(0 ${at * height})">\n${drawing(chart)}\n</g>`)
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${total}" font-family="sans-serif" font-size="12">
<title>${escaped(charts.map(({ title }) => title).join('; '))}</title>
<rect width="${width}" height="${total}" fill="#ffffff"/>
${drawn.join('\n')}
</svg>
`
}

function drawing(chart: Chart): string {
  const top = niceCeiling(peakOf(chart))
  const steps = Math.max(...chart.series.map(({ values }) => values.length), 1)
  return [
    text(chart.title, { x: margin.left, y: 18, weight: 'bold' }),
    ...legend(chart.series),
    ...valueAxis(top, chart.unit),
    ...timeAxis((steps * chart.stepMs) / 1_000),
    ...chart.series.map((series, at) => line(series, { top, steps, colour: colourOf(at) })),
  ].join('\n')
}

function line({ values }: Series, { top, steps, colour }: { top: number; steps: number; colour: string }): string {
  const points = values.map((value, at) => {
    const x = margin.left + ((at + 0.5) / steps) * plotWidth
    const y = margin.top + plotHeight * (1 - value / top)
    return `${x.toFixed(1)},${y.toFixed(1)}`
  })
  return `<polyline fill="none" stroke="${colour}" stroke-width="1.8" points="${points.join(' ')}"/>`
}

function legend(series: readonly Series[]): string[] {
  let x = margin.left
  return series.flatMap(({ name }, at) => {
    const mark = `<rect x="${x}" y="26" width="10" height="10" fill="${colourOf(at)}"/>`
    const label = text(name, { x: x + 14, y: 35 })
    x += 30 + name.length * 7
    return [mark, label]
  })
}

function valueAxis(top: number, unit: string): string[] {
  return Array.from({ length: ticks + 1 }, (_, tick) => {
    const y = margin.top + plotHeight * (1 - tick / ticks)
    const value = ((top * tick) / ticks).toLocaleString('en-GB', { maximumFractionDigits: 1 })
    const label = tick === ticks ? `${value} ${unit}` : value
    const rule = `<line x1="${margin.left}" y1="${y}" x2="${width - margin.right}" y2="${y}" stroke="#d4d4d4"/>`
    return [rule, text(label, { x: margin.left - 6, y: y + 4, anchor: 'end' })].join('\n')
  })
}

function timeAxis(seconds: number): string[] {
  return Array.from({ length: ticks + 1 }, (_, tick) => {
    const x = margin.left + (plotWidth * tick) / ticks
    const value = ((seconds * tick) / ticks).toLocaleString('en-GB', { maximumFractionDigits: 1 })
    return text(`${value} s`, { x, y: height - margin.bottom + 18, anchor: 'middle' })
  })
}

interface Placed {
  readonly x: number
  readonly y: number
  readonly anchor?: 'middle' | 'end'
  readonly weight?: 'bold'
}

function text(content: string, { x, y, anchor = undefined, weight = undefined }: Placed): string {
  const attributes = `${anchor === undefined ? '' : ` text-anchor="${anchor}"`}${weight === undefined ? '' : ` font-weight="${weight}"`}`
  return `<text x="${x}" y="${y}" fill="#262626"${attributes}>${escaped(content)}</text>`
}

function escaped(content: string): string {
  return content.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}

function colourOf(at: number): string {
  return colours[at % colours.length]!
}

/** The next of 1, 2, 4, 5, 8 or 10 times a power of ten, so that the ticks are round. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(value))
  return power * ([1, 2, 4, 5, 8, 10].find((step) => step * power >= value) ?? 10)
}
