import { readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'
import type { SimDocument } from './document.ts'
import { tablesOf, withTables } from './guide.ts'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

describe('the guide', () => {
  const document = JSON.parse(read('bench/results/sim.json')) as SimDocument

  it.each([
    ['docs/guides/resilience.md', 'en'],
    ['docs/guides/resilience.zh-CN.md', 'zh'],
  ] as const)('%s has the figures of the run that is kept', (path, language) => {
    const text = read(path)
    expect(withTables(text, tablesOf(document, language))).toBe(text)
  })

  it('shows the plot of every scenario', () => {
    for (const { name } of document.scenarios) {
      const plot = `plots/${name.replaceAll(' ', '-')}.svg`
      expect(read(`docs/guides/${plot}`)).toContain('<svg ')
      for (const guide of ['resilience.md', 'resilience.zh-CN.md']) expect(read(`docs/guides/${guide}`)).toContain(plot)
    }
  })

  it('loses no part unnoticed', () => {
    expect(withTables('a\n<!-- simulated: x -->\nold\n<!-- end -->\nb', { x: 'new' })).toBe(
      'a\n<!-- simulated: x -->\nnew\n<!-- end -->\nb',
    )
    expect(() => withTables('a', { x: 'new' })).toThrow("no part '<!-- simulated: x -->'")
  })
})
