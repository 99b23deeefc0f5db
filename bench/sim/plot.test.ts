import { describe, expect, it } from 'vitest'
import { svgOf } from './plot.ts'
import { scenarios } from './scenarios.ts'

const series = { successShare: [1, null, 0.5], attempts: [10, 0, 40] }

describe('a plot', () => {
  const svg = svgOf({ ...scenarios[0]!, name: 'a < b', endMs: 3_000 }, [
    { contestant: 'none', series },
    { contestant: 'ours', series },
  ])

  it('has a line of each contestant in both panels, and one in the legend', () => {
    for (const color of ['#8b8b8b', '#009e73']) expect(svg.split(`stroke="${color}"`)).toHaveLength(1 + 3)
    expect(svg).toContain('>ours</text>')
  })

  it('leaves out the seconds in which there was nothing to share, and scales to the most', () => {
    // Half of the first panel: 62 + 160 / 2. The most of the second: its top.
    expect(svg).toMatch(/d="M\d+\.?\d* 62L\d+\.?\d* 142"/)
    expect(svg).toMatch(/d="M\S+ 378L\S+ 418L\S+ 258"/)
  })

  it('needs nothing else and breaks by no text', () => {
    expect(svg).toMatch(/^<svg xmlns="http:\/\/www\.w3\.org\/2000\/svg" viewBox="0 0 \d+ \d+"/)
    expect(svg).toContain('a &lt; b')
    expect(svg).not.toContain('NaN')
  })
})
