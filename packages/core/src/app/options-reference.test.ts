import { readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../../../..')
const reference = readFileSync(join(root, 'docs/reference/options.md'), 'utf8')

/** The options that the page names under each heading, by the interface in the heading. */
const documented = new Map(
  reference
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const [, name = ''] = /^[^\n]*`(\w+)`/.exec(section) ?? []
      return [name, [...section.matchAll(/^\| `(\w+)` \|/gm)].map(([, option]) => option)] as const
    }),
)

/** The members of an interface as it stands in the sources, without those it extends. */
function declared(name: string): readonly string[] {
  for (const source of sources()) {
    const [, body] = new RegExp(`^export interface ${name}\\b[^{]*\\{\n([\\s\\S]*?)^\\}`, 'm').exec(source) ?? []
    if (body !== undefined) return [...body.matchAll(/^ {2}readonly (\w+)\??:/gm)].map(([, option]) => option!)
  }
  return []
}

function* sources(): Generator<string> {
  for (const folder of ['packages/core/src', 'packages/contracts/src']) {
    for (const path of readdirSync(join(root, folder), { recursive: true, encoding: 'utf8' })) {
      if (path.endsWith('.ts') && !path.includes('.test')) yield readFileSync(join(root, folder, path), 'utf8')
    }
  }
}

describe('the reference of options', () => {
  it.each([...documented])('names every option of %s, and no other', (name, options) => {
    expect([...options].sort()).toEqual([...declared(name)].sort())
    expect(options.length).toBeGreaterThan(0)
  })

  it('has a section for each interface of options that applications are written with', () => {
    const index = readFileSync(join(import.meta.dirname, 'index.ts'), 'utf8')
    const exported = [...index.matchAll(/\b(\w+Options)\b/g)].map(([, name]) => name!)
    const expected = exported.filter((name) => !elsewhere.has(name) && declared(name).length > 0)
    expect(expected.filter((name) => !documented.has(name))).toEqual([])
  })
})

/** Those of logs and errors, which the page leaves out. */
const elsewhere = new Set(['ConsoleLogOptions', 'PosthasteErrorOptions'])
