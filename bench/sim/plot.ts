import type { Series } from './figures.ts'
import type { Scenario } from './scenarios.ts'

/** A contestant's line. */
export interface Line {
  readonly contestant: string
  readonly series: Series
}

/** Legible on white as well as on black, told apart by eyes that see no red or no green, and by their dashes. */
const strokes: Readonly<Record<string, { readonly color: string; readonly dash: string; readonly width: number }>> = {
  none: { color: '#8b8b8b', dash: '2 2', width: 1.5 },
  'naive retry': { color: '#d55e00', dash: '6 2', width: 1.5 },
  cockatiel: { color: '#3b8fd9', dash: '8 2 2 2', width: 1.5 },
  opossum: { color: '#c06ac0', dash: '4 2', width: 1.5 },
  ours: { color: '#009e73', dash: '', width: 2.5 },
  'ours + bulkhead': { color: '#cc3366', dash: '', width: 2.5 },
  'ours + server limit': { color: '#cc3366', dash: '', width: 2.5 },
}

/** Ours with something more. */
const variant = { color: '#d39a00', dash: '', width: 2.5 } as const

/** How wide a letter is, roughly. */
const letter = 6.3

const size = { width: 820, height: 640 } as const
/** For the longest labels of the axes. */
const margin = 12
const left = 56
const right = 16
const panel = { width: size.width - left - right, height: 150 } as const
const tops = [64, 252, 440] as const
const gray = '#7d8590'

interface Panel {
  readonly top: number
  readonly title: string
  /** Of the axis, which begins at 0 and has four steps. */
  readonly max: number
  readonly unit: string
}

/** Success, load and latency over time, one line for each contestant, as an SVG that needs nothing else. */
export function svgOf(scenario: Scenario, lines: readonly Line[]): string {
  const seconds = scenario.endMs / 1_000
  const to = scenario.tiers.length > 1 ? scenario.tiers.at(-1)!.name : 'the callee'
  const panels: readonly [Panel, (series: Series) => readonly (number | null)[]][] = [
    [
      { top: tops[0], title: 'calls answered well, by when they began', max: 100, unit: ' %' },
      ({ successShare }) => successShare.map((share) => share && share * 100),
    ],
    [
      { top: tops[1], title: `attempts per second that reach ${to}`, max: ceilingOf(lines, 'attempts'), unit: '' },
      ({ attempts }) => attempts,
    ],
    [
      { top: tops[2], title: '99 % of the answers are there within', max: ceilingOf(lines, 'p99Ms'), unit: ' ms' },
      ({ p99Ms }) => p99Ms,
    ],
  ]
  const body = [
    `<text x="${left}" y="20" font-size="15" font-weight="600">${escaped(scenario.name)}</text>`,
    ...legend(lines),
    ...panels.flatMap(([panelOf, valuesOf]) => [
      ...axes(scenario, panelOf),
      ...lines.map(({ contestant, series }) => path(contestant, panelOf, { values: valuesOf(series), seconds })),
    ]),
    text({ x: left + panel.width / 2, y: size.height - 6, anchor: 'middle' }, 'seconds'),
  ]
  const open = `<svg xmlns="http://www.w3.org/2000/svg" viewBox="${-margin} 0 ${size.width + 20} ${size.height}" font-family="sans-serif" font-size="12" fill="${gray}" role="img">`
  return [open, `<title>${escaped(`${scenario.name}: ${scenario.what}`)}</title>`, ...body, '</svg>', ''].join('\n')
}

function axes(scenario: Scenario, { top, title, max, unit }: Panel): string[] {
  const seconds = scenario.endMs / 1_000
  const x = (second: number): number => left + (second / seconds) * panel.width
  const bottom = top + panel.height
  const [from, to] = [x(scenario.faultFromMs / 1_000), x(scenario.faultToMs / 1_000)]
  const times = Array.from({ length: Math.floor(seconds / 10) + 1 }, (_, ten) => ten * 10)
  return [
    `<rect x="${fixed(from)}" y="${top}" width="${fixed(to - from)}" height="${panel.height}" fill="${gray}" fill-opacity="0.13"/>`,
    text({ x: left, y: top - 6, anchor: 'start' }, title),
    text({ x: to - 4, y: top + 13, anchor: 'end' }, 'fault'),
    ...[0, 1, 2, 3, 4].flatMap((step) => {
      const y = bottom - (step / 4) * panel.height
      return [
        `<path d="M${left} ${fixed(y)}h${panel.width}" stroke="${gray}" stroke-opacity="0.3"/>`,
        text({ x: left - 6, y: y + 4, anchor: 'end' }, `${Math.round((max * step) / 4)}${unit}`),
      ]
    }),
    ...times.map((second) => text({ x: x(second), y: bottom + 16, anchor: 'middle' }, `${second}`)),
  ]
}

function path(
  contestant: string,
  { top, max }: Panel,
  { values, seconds }: { readonly values: readonly (number | null)[]; readonly seconds: number },
): string {
  let d = ''
  let pen = 'M'
  for (const [second, value] of values.entries()) {
    if (value === null) {
      pen = 'M'
      continue
    }
    const x = left + ((second + 0.5) / seconds) * panel.width
    const y = top + panel.height - (Math.min(value, max) / max) * panel.height
    d += `${pen}${fixed(x)} ${fixed(y)}${pen === 'M' ? 'h0' : ''}`
    pen = 'L'
  }
  return `<path d="${d}" ${strokeOf(contestant)}/>`
}

function legend(lines: readonly Line[]): string[] {
  let x = left
  return lines.flatMap(({ contestant }) => {
    const at = x
    x += 46 + contestant.length * letter
    return [
      `<path d="M${fixed(at)} 36h24" ${strokeOf(contestant)}/>`,
      text({ x: at + 30, y: 40, anchor: 'start' }, contestant),
    ]
  })
}

function strokeOf(contestant: string): string {
  const { color, dash, width } = strokes[contestant] ?? variant
  return `fill="none" stroke="${color}" stroke-width="${width}" stroke-linecap="round"${dash && ` stroke-dasharray="${dash}"`}`
}

function text(at: { readonly x: number; readonly y: number; readonly anchor: string }, of: string): string {
  return `<text x="${fixed(at.x)}" y="${fixed(at.y)}" text-anchor="${at.anchor}">${escaped(of)}</text>`
}

function ceilingOf(lines: readonly Line[], of: 'attempts' | 'p99Ms'): number {
  return niceCeiling(Math.max(...lines.flatMap(({ series }) => series[of].map((value) => value ?? 0))))
}

/** The next of 1, 2, 4, 6, 8 times a power of ten: its quarters are round, too. */
function niceCeiling(value: number): number {
  const power = 10 ** Math.floor(Math.log10(Math.max(value, 1)))
  return power * ([1, 2, 4, 6, 8, 10].find((step) => step * power >= value) ?? 10)
}

function fixed(value: number): string {
  return `${Math.round(value * 10) / 10}`
}

function escaped(value: string): string {
  return value.replaceAll('&', '&amp;').replaceAll('<', '&lt;')
}
