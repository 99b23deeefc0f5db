import { describe, expect, it } from 'vitest'
import { parseSource } from '../workspace/source.ts'
import { bans } from './bans.ts'
import { checkSource, checkText } from './check.ts'

const library = 'packages/core/src/bus/queue.ts'

function broken(text: string, path = library): readonly string[] {
  return checkSource(parseSource(path, text)).map(({ ban }) => ban)
}

describe('bans', () => {
  const samples: readonly (readonly [ban: string, text: string])[] = [
    ['wall-clock', 'const t = Date.now()'],
    ['wall-clock', 'const t = new Date()'],
    ['monotonic-clock', 'const t = performance.now()'],
    ['monotonic-clock', 'const t = globalThis.performance.now()'],
    ['timer', 'setTimeout(run, 5)'],
    ['timer', 'globalThis.setInterval(run, 5)'],
    ['timer', "import { setTimeout } from 'node:timers/promises'"],
    ['console', "console.log('x')"],
    ['randomness', 'const r = Math.random()'],
    ['abort-signal', 'const s = AbortSignal.any([a, b])'],
    ['abort-signal', 'const s = AbortSignal.timeout(5)'],
    ['async-local-storage', 'const s = new AsyncLocalStorage()'],
    ['process-exit', 'process.exit(1)'],
    ['enum', 'enum Color { Red }'],
    ['namespace', 'namespace Colors { export const red = 1 }'],
    ['any', 'const x = y as any'],
    ['any', 'function f(x: any[]): void {}'],
    ['default-export', 'export default 1'],
    ['default-export', "export { x as default } from './x.ts'"],
    ['unfinished', '// FIXME later'],
  ]

  it.each(samples)('finds %s in `%s`', (ban, text) => {
    expect(broken(text)).toEqual([ban])
  })

  it('are each proved by a sample', () => {
    const proved = new Set(samples.map(([ban]) => ban))
    expect(bans.filter(({ name }) => !proved.has(name))).toEqual([])
  })

  it.each([
    'const t = clock.nowMs()',
    'const t = new Date(5)',
    'clock.setTimeout(run, 5)',
    'class Timers { setTimeout(): void {} }',
    "const text = 'Date.now() console.log() any enum'",
    '// Math.random() would not do here',
    'const any = 1',
    'declare module "x" {}',
  ])('find nothing in `%s`', (text) => {
    expect(broken(text)).toEqual([])
  })

  it('that are about libraries leave tools, examples and tests alone', () => {
    for (const path of ['tools/x/a.ts', 'examples/shop/src/a.ts', 'packages/core/src/bus/a.test.ts']) {
      expect(broken('console.log(Date.now()); expect(1)', path)).toEqual([])
    }
    expect(broken('enum Color { Red }', 'tools/x/a.ts')).toEqual(['enum'])
  })
})

describe('exemptions', () => {
  it('hold on their own line and on the next, and nowhere else', () => {
    const allow = '// tidy-allow wall-clock: this is the clock'
    expect(broken(`const t = Date.now() ${allow}`)).toEqual([])
    expect(broken(`${allow}\nconst t = Date.now()`)).toEqual([])
    expect(broken('const t = Date.now() /* tidy-allow wall-clock: this is the clock */')).toEqual([])
    expect(broken(`${allow}\n\nconst t = Date.now()`)).toEqual(['wall-clock', 'exemption'])
  })

  it('may stand on each of several lines in a row', () => {
    const line = 'run(Date.now()) // tidy-allow wall-clock: this is the clock'
    expect(broken(`${line}\n${line}`)).toEqual([])
  })

  it('name one ban, and leave others standing', () => {
    expect(broken('// tidy-allow console: the last resort\nconst t = Date.now()')).toEqual(['wall-clock', 'exemption'])
  })

  it('need a reason', () => {
    expect(broken('const t = Date.now() // tidy-allow wall-clock')).toEqual(['wall-clock', 'exemption'])
    expect(broken('const t = Date.now() // tidy-allow wall-clock:')).toEqual(['wall-clock', 'exemption'])
  })

  it('that allow nothing are findings themselves', () => {
    expect(broken('// tidy-allow console: was here once')).toEqual(['exemption'])
  })
})

describe('shape', () => {
  const body = (lines: number): string => 'x += 1\n'.repeat(lines)

  it('limits files to 500 lines', () => {
    expect(broken(body(500))).toEqual([])
    expect(broken(body(501))).toEqual(['long-file'])
  })

  it('limits functions to 70 lines, tests excepted', () => {
    expect(broken(`function f() {\n${body(68)}}`)).toEqual([])
    expect(broken(`const f = () => {\n${body(69)}}`)).toEqual(['long-function'])
    expect(broken(`it('x', () => {\n${body(600)}\nexpect(x)})`, 'packages/core/src/a.test.ts')).toEqual([])
  })

  it('lets no folder be a drawer', () => {
    for (const folder of ['utils', 'util', 'common', 'helpers', 'misc']) {
      expect(broken('', `packages/core/src/${folder}/a.ts`)).toEqual(['drawer'])
    }
    expect(broken('', 'packages/core/src/commonality/a.ts')).toEqual([])
  })

  it('wants a test to expect something', () => {
    expect(broken("it('runs', () => run())", 'packages/core/src/a.test.ts')).toEqual(['toothless-test'])
    for (const text of ['expect(1).toBe(1)', 'expectTypeOf<A>().toBeString()', 'fc.assert(p)', 'assert.ok(1)']) {
      expect(broken(text, 'packages/core/src/a.test.ts')).toEqual([])
    }
  })
})

describe('checkText', () => {
  const home = ['', 'home', 'ada', 'project'].join('/')
  const host = ['registry', 'npmjs', 'org'].join('.')
  const bansIn = (text: string): readonly string[] => checkText('README.md', text).map(({ ban }) => ban)

  it('finds paths of one machine and hosts of registries in any file', () => {
    expect(bansIn(`cd ${home}`)).toEqual(['machine-path'])
    expect(bansIn(`"resolved": "https://${host}/x"`)).toEqual(['registry-host'])
  })

  it('lets relative paths and routes of web pages pass', () => {
    expect(bansIn('see ./home/ada and https://example.com/home/ada and packages/home/ada')).toEqual([])
  })

  it('can be told why one stands', () => {
    const allow = 'tidy-allow'
    expect(bansIn(`<!-- ${allow} machine-path: the default of an image -->\ncd ${home}`)).toEqual([])
  })
})
