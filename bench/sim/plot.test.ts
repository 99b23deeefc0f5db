import { describe, expect, it } from 'vitest'
import { svgOf } from './plot.ts'
import { scenarios } from './scenarios.ts'

const series = { successShare: [1, 0.5, null], attempts: [10, 0, 40], p99Ms: [100, null, 200] }

describe('a plot', () => {
  const svg = svgOf({ ...scenarios[0]!, name: 'a < b', endMs: 3_000 }, [
    { contestant: 'none', series },
    { contestant: 'ours', series },
  ])

  it('has a line of each contestant in each panel, and one in the legend', () => {
    for (const color of ['#8b8b8b', '#009e73']) expect(svg.split(`stroke="${color}"`)).toHaveLength(1 + 4)
    expect(svg).toContain('>ours</text>')
  })

  it('leaves gaps where there is nothing to show, and scales to the most', () => {
    // The panels are 150 high and begin at 64, 252 and 440.
    expect(svg).toMatch(/d="M\S+ 64h0L\S+ 139"/)
    expect(svg).toMatch(/d="M\S+ 364.5h0L\S+ 402L\S+ 252"/)
    expect(svg).toMatch(/d="M\S+ 515h0M\S+ 440h0"/)
  })

  it('needs nothing else and breaks by no text', () => {
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="-12 0 \d+ \d+"/)
    expect(svg).toContain('a &lt; b')
    expect(svg).not.toContain('NaN')
  })
})
