import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { basename, dirname, join } from 'node:path'
import { describe, expect, it } from 'vitest'

const root = join(import.meta.dirname, '../..')
const read = (path: string): string => readFileSync(join(root, path), 'utf8')

const inChinese = ['.', 'docs/guides']
  .flatMap((folder) => readdirSync(join(root, folder)).map((name) => join(folder, name)))
  .filter((path) => path.endsWith('.zh-CN.md'))

/** Fenced blocks, without what a language says in its own words, and without what the tests of the snippets are told. */
function blocksOf(markdown: string): string[] {
  const blocks = markdown.match(/^```\w.*?^```$/gms) ?? []
  return blocks.map((block) => block.replaceAll(/\s+\/\/ .*$/gm, '').replace(/^(```\w+)(?: run| output)/, '$1'))
}

const countOf = (markdown: string, what: RegExp): number => markdown.match(what)?.length ?? 0

describe.each(inChinese)('%s', (path) => {
  const twin = path.replace('.zh-CN.md', '.md')

  it('has a twin in English, and each links to the other', () => {
    expect(existsSync(join(root, twin))).toBe(true)
    expect(dirname(path)).toBe(dirname(twin))
    expect(read(path)).toContain(`](${basename(twin)})`)
    expect(read(twin)).toContain(`](${basename(path)})`)
  })

  it('has the code, the output, the sections and the tables of its twin', () => {
    expect(blocksOf(read(path))).toEqual(blocksOf(read(twin)))
    expect(countOf(read(path), /^##+ /gm)).toBe(countOf(read(twin), /^##+ /gm))
    expect(countOf(read(path), /^\|/gm)).toBe(countOf(read(twin), /^\|/gm))
  })
})
