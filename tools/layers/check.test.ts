import { describe, expect, it } from 'vitest'
import type { WorkspacePackage } from '../workspace/workspace.ts'
import { checkLayers } from './check.ts'
import { layers } from './layers.ts'

const scope = '@posthaste'
const core = 'packages/core/src'

function pack(name: string, dir: string, options: { entries?: Record<string, string>; uses?: string[] } = {}) {
  const entries = Object.entries(options.entries ?? { '': 'index' })
  return {
    name,
    dir,
    isPrivate: !dir.startsWith('packages/'),
    entries: new Map(entries.map(([subpath, file]) => [name + subpath, `${dir}/src/${file}.ts`])),
    dependencies: new Set(options.uses ?? []),
    devDependencies: new Set<string>(),
  } satisfies WorkspacePackage
}

const contracts = `${scope}/contracts`
const packages = [
  pack(contracts, 'packages/contracts'),
  pack('posthaste', 'packages/core', {
    entries: { '': 'app/index', '/pipeline': 'pipeline/index', '/bus': 'bus/index', '/testing': 'testing/index' },
    uses: [contracts],
  }),
  pack(`${scope}/embedded`, 'packages/engines/embedded', { uses: [contracts, 'lmdb', 'posthaste'] }),
  pack(`${scope}/memory`, 'packages/engines/memory', { uses: [contracts, `${scope}/embedded`] }),
  pack(`${scope}/http`, 'packages/transports/http', { uses: [contracts, `${scope}/memory`] }),
  pack(`${scope}/broker`, 'packages/broker', { uses: ['posthaste', `${scope}/embedded`] }),
  pack(`${scope}/conformance`, 'packages/conformance', { uses: ['posthaste', `${scope}/memory`] }),
  pack(`${scope}/example-shop`, 'examples/shop', { uses: ['posthaste', `${scope}/broker`] }),
]

/** Checks the graph written as `{ file: [specifiers] }`; targets that are not keys exist and import nothing. */
function rulesBroken(graph: Record<string, readonly string[]>, existing: readonly string[] = []): readonly string[] {
  const imports = new Map(
    [...existing.map((file) => [file, []] as const), ...Object.entries(graph)].map(([file, specifiers]) => [
      file,
      specifiers.map((specifier, at) => ({ specifier, line: at + 1 })),
    ]),
  )
  return checkLayers({ packages, devDependencies: new Set(['vitest']), imports }).map(({ rule }) => rule)
}

/** Core's folders from the bottom to the top; each may import what the design allows, and no more. */
const allowed: Record<string, readonly string[]> = {
  pipeline: [],
  resilience: ['pipeline'],
  telemetry: ['pipeline'],
  discovery: ['pipeline', 'resilience', 'telemetry'],
  bus: ['pipeline', 'resilience', 'telemetry'],
  rpc: ['pipeline', 'resilience', 'telemetry'],
  eventing: ['pipeline', 'resilience', 'telemetry', 'discovery', 'bus', 'rpc'],
  app: ['pipeline', 'resilience', 'telemetry', 'discovery', 'bus', 'rpc', 'eventing'],
  testing: ['pipeline', 'resilience', 'telemetry', 'discovery', 'bus', 'rpc', 'eventing', 'app'],
}
const arrows = Object.keys(allowed).flatMap((from) =>
  Object.keys(allowed)
    .filter((to) => to !== from)
    .map((to) => ({ from, to, fine: allowed[from]!.includes(to) })),
)

describe('direction inside core', () => {
  it.each(arrows)('$from imports $to: $fine', ({ from, to, fine }) => {
    const target = `${core}/${to}/call.ts`
    const broken = rulesBroken({ [`${core}/${from}/call.ts`]: [`../${to}/call.ts`] }, [target])
    expect(broken).toEqual(fine ? [] : ['direction'])
  })

  it('counts an import of the own package by its name like one by path', () => {
    const existing = [`${core}/bus/index.ts`]
    expect(rulesBroken({ [`${core}/app/run.ts`]: ['posthaste/bus'] }, existing)).toEqual([])
    expect(rulesBroken({ [`${core}/rpc/call.ts`]: ['posthaste/bus'] }, existing)).toEqual(['direction'])
  })
})

describe('direction between packages', () => {
  const existing = packages.flatMap(({ entries }) => [...entries.values()])
  it.each([
    ['packages/engines/embedded/src/engine.ts', contracts, []],
    ['packages/engines/embedded/src/engine.ts', 'posthaste/bus', ['direction']],
    ['packages/engines/memory/src/engine.ts', `${scope}/embedded`, ['direction']],
    ['packages/transports/http/src/server.ts', `${scope}/memory`, ['direction']],
    ['packages/broker/src/serve.ts', `${scope}/embedded`, []],
    ['packages/broker/src/serve.ts', 'posthaste/testing', ['direction']],
    ['packages/conformance/src/suite.ts', 'posthaste/testing', []],
    ['packages/conformance/src/suite.ts', `${scope}/memory`, ['direction']],
    ['examples/shop/src/orders.ts', 'posthaste', []],
    ['examples/shop/src/orders.ts', `${scope}/broker`, ['direction']],
  ] as const)('%s imports %s: breaks %j', (file, specifier, rules) => {
    expect(rulesBroken({ [file]: [specifier] }, existing)).toEqual(rules)
  })

  it('lets no product file reach tools', () => {
    const graph = { [`${core}/app/run.ts`]: ['../../../../tools/tidy/check.ts'] }
    expect(rulesBroken(graph, ['tools/tidy/check.ts'])).toEqual(['direction'])
  })
})

describe('the other rules', () => {
  it('keeps node out of portable layers, but not out of app, engines and tests', () => {
    expect(rulesBroken({ [`${core}/bus/timer.ts`]: ['node:timers'] })).toEqual(['portable'])
    expect(rulesBroken({ 'packages/contracts/src/clock.ts': ['fs'] })).toEqual(['portable'])
    expect(rulesBroken({ [`${core}/app/signals.ts`]: ['node:process'] })).toEqual([])
    expect(rulesBroken({ 'packages/engines/embedded/src/store.ts': ['node:fs'] })).toEqual([])
    expect(rulesBroken({ [`${core}/bus/timer.test.ts`]: ['node:timers'] })).toEqual([])
  })

  it('lets nobody past the exports of another package, by name or by path, not even tests', () => {
    const file = `${core}/bus/queue.ts`
    const existing = [file, 'packages/contracts/src/clock.ts']
    expect(rulesBroken({ [`${core}/app/a.ts`]: [`${contracts}/clock`] }, existing)).toEqual(['internals'])
    expect(rulesBroken({ [`${core}/app/a.ts`]: ['../../../contracts/src/clock.ts'] }, existing)).toEqual(['internals'])
    expect(rulesBroken({ 'tools/x/a.test.ts': ['../../packages/core/src/bus/queue.ts'] }, existing)).toEqual([
      'internals',
    ])
  })

  it('keeps entries for others: within a package one imports the declaring file', () => {
    expect(rulesBroken({ [`${core}/bus/queue.ts`]: ['../pipeline/index.ts'] }, [`${core}/pipeline/index.ts`])).toEqual([
      'barrel',
    ])
  })

  it('wants third-party packages declared where they are imported', () => {
    expect(rulesBroken({ 'packages/engines/embedded/src/store.ts': ['lmdb'] })).toEqual([])
    expect(rulesBroken({ 'packages/engines/memory/src/store.ts': ['lmdb'] })).toEqual(['undeclared'])
    expect(rulesBroken({ [`${core}/bus/queue.ts`]: ['vitest'] })).toEqual(['undeclared'])
    expect(rulesBroken({ [`${core}/bus/queue.test.ts`]: ['vitest', 'left-pad'] })).toEqual(['undeclared'])
    expect(rulesBroken({ 'tools/x/a.ts': ['vitest', 'left-pad/sub'] })).toEqual(['undeclared'])
  })

  it('names imports of files that do not exist, files outside all layers and imports of tests', () => {
    expect(rulesBroken({ [`${core}/bus/queue.ts`]: ['./gone.ts'] })).toEqual(['unresolved'])
    expect(rulesBroken({ [`${core}/stray.ts`]: [] })).toEqual(['no-layer'])
    expect(rulesBroken({ [`${core}/bus/queue.ts`]: ['./queue.test.ts'] }, [`${core}/bus/queue.test.ts`])).toEqual([
      'imports-test',
    ])
  })

  it('finds a cycle of files inside one layer', () => {
    const graph = { [`${core}/bus/a.ts`]: ['./b.ts'], [`${core}/bus/b.ts`]: ['./a.ts'] }
    expect(rulesBroken(graph)).toEqual(['cycle'])
  })
})

describe('the rows themselves', () => {
  it('import only from rows above, so the layers have no cycle, and each says why', () => {
    const seen = new Set<string>()
    for (const layer of layers) {
      for (const name of layer.imports) expect(seen, `${layer.name} imports ${name}`).toContain(name)
      expect(layer.because).not.toBe('')
      seen.add(layer.name)
    }
  })
})
