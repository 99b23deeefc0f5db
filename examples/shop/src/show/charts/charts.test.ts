import { describe, expect, it } from 'vitest'
import { type Chart, countPerStep, peakOf } from './chart.ts'
import { svgOf } from './svg.ts'
import { terminalChart } from './terminal.ts'

const chart: Chart = {
  title: 'Come & <gone>',
  unit: '/s',
  stepMs: 500,
  series: [
    { name: 'come', values: [0, 100, 1, 0] },
    { name: 'gone', values: [0, 25, 50, 25] },
  ],
}

describe('counting per step', () => {
  it('puts each time into its step, and leaves out what lies outside', () => {
    expect(countPerStep([-1, 0, 499, 500, 1_100, 1_500], 500, 1_500)).toEqual([2, 1, 1])
  })
})

it('the peak is that of all series, and never nothing', () => {
  expect(peakOf(chart)).toBe(100)
  expect(peakOf({ ...chart, series: [{ name: 'none', values: [] }] })).toBe(1)
})

describe('a chart for a terminal', () => {
  it('draws every series to one scale, and shows what is not nothing', () => {
    expect(terminalChart(chart, { columns: 4, rows: 2 }).split('\n')).toEqual([
      'Come & <gone>',
      '  come, at most 100 /s',
      '   █  ',
      '   █▁ ',
      '  gone, at most 50 /s',
      '      ',
      '   ▄█▄',
      '  02 s',
    ])
  })

  it('shows the greatest of the values that share a column', () => {
    const many = { ...chart, series: [{ name: 'x', values: [0, 0, 9, 0, 0, 0] }] }
    expect(terminalChart(many, { columns: 3, rows: 1 }).split('\n')[2]).toBe('   █ ')
  })

  it('stretches few values over its width', () => {
    const few = { ...chart, series: [{ name: 'x', values: [8, 4] }] }
    expect(terminalChart(few, { columns: 4, rows: 1 }).split('\n')[2]).toBe('  ██▄▄')
  })
})

describe('a chart as SVG', () => {
  it('has a line per series, with a point per value, and escapes text', () => {
    const svg = svgOf([chart, chart])
    const lines = [...svg.matchAll(/points="([^"]*)"/g)].map(([, points]) => points!.split(' ').length)
    expect(lines).toEqual([4, 4, 4, 4])
    expect(svg).toContain('Come &amp; &lt;gone>')
    expect(svg).toContain('viewBox="0 0 720 600"')
  })

  it('keeps all points within the frame', () => {
    const points = [...svgOf([chart]).matchAll(/points="([^"]*)"/g)].flatMap(([, all]) => all!.split(' '))
    for (const point of points) {
      const [x, y] = point.split(',').map(Number)
      expect(x).toBeGreaterThanOrEqual(0)
      expect(x).toBeLessThanOrEqual(720)
      expect(y).toBeGreaterThanOrEqual(44)
      expect(y).toBeLessThanOrEqual(260)
    }
  })
})
