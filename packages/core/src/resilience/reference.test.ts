import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const page = readFileSync(join(import.meta.dirname, '../../../../docs/reference/resilience.md'), 'utf8')

/** Each section of the page: the interfaces of its heading, and the options of its table. */
const sections = page
  .split(/^## /m)
  .slice(1)
  .map((text) => {
    const [heading = ''] = text.split('\n')
    const interfaces = [...heading.matchAll(/`(\w+)`/g)].map(([, name]) => name!)
    return { text, interfaces, options: [...text.matchAll(/^\| `(\w+)` \|/gm)].map(([, option]) => option!) }
  })

const sources = readdirSync(import.meta.dirname, { recursive: true, encoding: 'utf8' })
  .filter((path) => path.endsWith('.ts') && !path.includes('.test'))
  .map((path) => readFileSync(join(import.meta.dirname, path), 'utf8'))

/** The members of an interface, without those it extends. */
function declared(name: string): readonly string[] {
  const body = sources
    .map((source) => new RegExp(`^export interface ${name}\\b[^{]*\\{\n([\\s\\S]*?)^\\}`, 'm').exec(source)?.[1])
    .find((found) => found !== undefined)
  return [...(body ?? '').matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, option]) => option!)
}

/** The kinds of events that filters tell, as the sources spell them. */
const kindsTold = sources.flatMap((source) =>
  [...source.matchAll(/role:[^,}]*,\s*kind: '(\w+)'|#tell\('(\w+)'/g)].map(([, kind, told]) => kind ?? told!),
)

describe('the reference of resilience', () => {
  it.each(sections.map(({ interfaces, options }) => [interfaces, options] as const))(
    'names every option of %s, and no other',
    (interfaces, options) => {
      const all = new Set(interfaces.flatMap(declared))
      // A breaker’s key has an interface of its own.
      for (const option of interfaces.includes('BreakersOptions') ? declared('KeyingOptions') : []) all.add(option)
      expect([...options].sort()).toEqual([...all].sort())
      expect(options.length).toBeGreaterThan(0)
    },
  )

  it('has a section for the options of every policy that is exported', () => {
    const index = readFileSync(join(import.meta.dirname, 'index.ts'), 'utf8')
    const exported = [...index.matchAll(/\btype (\w+Options)\b/g)].map(([, name]) => name!)
    const documented = new Set([...sections.flatMap(({ interfaces }) => interfaces), 'KeyingOptions'])
    expect(exported.length).toBeGreaterThan(10)
    expect(exported.filter((name) => !documented.has(name))).toEqual([])
  })

  it('names every kind of event', () => {
    expect(kindsTold.length).toBeGreaterThan(15)
    expect(kindsTold.filter((kind) => !page.includes(`\`${kind}\``))).toEqual([])
  })
})
