import { describe, expect, it } from 'vitest'
import { parseSource } from '../workspace/source.ts'
import { undocumentedExports } from './documented.ts'

function undocumented(files: Record<string, string>): readonly string[] {
  const sources = new Map(Object.entries(files).map(([path, text]) => [path, parseSource(path, text)]))
  const found = undocumentedExports('a/index.ts', {
    source: (path) => sources.get(path),
    entry: (specifier) => (specifier === '@x/b' ? 'b/index.ts' : undefined),
  })
  return found.map(({ path, line, name }) => `${path}:${line} ${name}`)
}

describe('undocumentedExports', () => {
  it('names each kind of declaration that has no doc comment of its own', () => {
    const text = [
      '/** Documented. */',
      'export const a = 1',
      'export const b = 2',
      '// A remark is no documentation.',
      'export function c(): void {}',
      'export class D {}',
      'export interface E {}',
      'export type F = string',
      '/** Documented, async. */',
      'export async function g(): Promise<void> {}',
      'const hidden = 1',
    ].join('\n')
    expect(undocumented({ 'a/index.ts': text })).toEqual([
      'a/index.ts:3 b',
      'a/index.ts:5 c',
      'a/index.ts:6 D',
      'a/index.ts:7 E',
      'a/index.ts:8 F',
    ])
  })

  it('follows re-exports, renames, stars and imports to the declaration', () => {
    expect(
      undocumented({
        'a/index.ts':
          "import { w } from './w.ts'\nexport { w }\nexport { x as y } from './x.ts'\nexport * from './z.ts'",
        'a/w.ts': 'export const w = 1\nexport const unseen = 1',
        'a/x.ts': 'const x = 1\nexport { x }\nexport const unseen = 1',
        'a/z.ts': '/** Fine. */\nexport const fine = 1\nexport const z = 1',
      }),
    ).toEqual(['a/w.ts:1 w', 'a/x.ts:1 x', 'a/z.ts:3 z'])
  })

  it('follows into a sibling package, and stops at packages from outside', () => {
    expect(
      undocumented({
        'a/index.ts': "export { b } from '@x/b'\nexport { z } from 'zod'",
        'b/index.ts': 'export const b = 1\nexport const unseen = 1',
      }),
    ).toEqual(['b/index.ts:1 b'])
  })

  it('is content with one documented overload or merged declaration', () => {
    const text = '/** Doc. */\nexport function f(a: string): void\nexport function f(a: unknown): void {}'
    expect(undocumented({ 'a/index.ts': text })).toEqual([])
  })

  it('survives files that re-export each other', () => {
    expect(undocumented({ 'a/index.ts': "export * from './b.ts'", 'a/b.ts': "export * from './index.ts'" })).toEqual([])
  })
})
