import { type ESTree, Visitor, type VisitorObject } from 'vite'
import type { Source } from '../workspace/source.ts'

/** Where a ban holds: in the published packages' sources, or in every TypeScript file that is no test. */
export type BanScope = 'library' | 'code'

/** Something the project does not write, and what stands in its place. */
export interface Ban {
  readonly name: string
  readonly scope: BanScope
  readonly what: string
  readonly instead: string
  /** Builds the visitor that reports the offset of each occurrence. */
  readonly visit: (report: (node: { readonly start: number }) => void) => VisitorObject
}

/** One occurrence of a ban. */
export interface BanHit {
  readonly ban: Ban
  readonly line: number
}

/** Matches `object.property`, and the same reached through `globalThis`. */
function member(object: string, ...properties: readonly string[]): Ban['visit'] {
  return (report) => ({
    MemberExpression(node) {
      if (node.computed || node.property.type !== 'Identifier') return
      if (properties.length > 0 && !properties.includes(node.property.name)) return
      if (globalName(node.object) === object) report(node)
    },
  })
}

function globalName(node: ESTree.Expression | ESTree.Super): string | undefined {
  if (node.type === 'Identifier') return node.name
  if (node.type !== 'MemberExpression' || node.computed || node.property.type !== 'Identifier') return undefined
  return globalName(node.object) === 'globalThis' ? node.property.name : undefined
}

/** Matches calls of a global function. */
function call(...names: readonly string[]): Ban['visit'] {
  return (report) => ({
    CallExpression(node) {
      const name = globalName(node.callee)
      if (name !== undefined && names.includes(name)) report(node)
    },
  })
}

/** All bans on syntax, each found in the tree and not by its spelling. */
export const bans: readonly Ban[] = [
  {
    name: 'wall-clock',
    scope: 'library',
    what: 'Date.now() or new Date()',
    instead: 'clock.nowMs() of the host',
    visit: (report) => ({
      ...member('Date', 'now')(report),
      NewExpression(node) {
        if (globalName(node.callee) === 'Date' && node.arguments.length === 0) report(node)
      },
    }),
  },
  {
    name: 'monotonic-clock',
    scope: 'library',
    what: 'performance.now()',
    instead: 'clock.monotonicMs() of the host',
    visit: member('performance', 'now'),
  },
  {
    name: 'timer',
    scope: 'library',
    what: 'setTimeout, setInterval or node:timers',
    instead: 'the timers of the clock of the host',
    visit: (report) => ({
      ...call('setTimeout', 'setInterval')(report),
      ImportDeclaration(node) {
        if (/^node:timers(\/|$)/.test(node.source.value)) report(node)
      },
    }),
  },
  { name: 'console', scope: 'library', what: 'console', instead: 'the log of the host', visit: member('console') },
  {
    name: 'randomness',
    scope: 'library',
    what: 'Math.random()',
    instead: 'a random function that is passed in',
    visit: member('Math', 'random'),
  },
  {
    name: 'abort-signal',
    scope: 'library',
    what: 'AbortSignal.any or AbortSignal.timeout',
    instead: 'the cancellation token of the call (its signal is lazy)',
    visit: member('AbortSignal', 'any', 'timeout'),
  },
  {
    name: 'async-local-storage',
    scope: 'library',
    what: 'AsyncLocalStorage',
    instead: 'the context that is passed along',
    visit: (report) => ({
      Identifier(node) {
        if (node.name === 'AsyncLocalStorage') report(node)
      },
    }),
  },
  {
    name: 'process-exit',
    scope: 'library',
    what: 'process.exit()',
    instead: 'an error that the caller can handle',
    visit: member('process', 'exit'),
  },
  {
    name: 'enum',
    scope: 'code',
    what: 'an enum',
    instead: 'a union of string literals',
    visit: (report) => ({ TSEnumDeclaration: report }),
  },
  {
    name: 'namespace',
    scope: 'code',
    what: 'a namespace',
    instead: 'a module',
    visit: (report) => ({
      TSModuleDeclaration(node) {
        if (node.id.type !== 'Literal') report(node)
      },
    }),
  },
  {
    name: 'any',
    scope: 'code',
    what: 'the type any',
    instead: 'unknown, a type parameter or the real type',
    visit: (report) => ({ TSAnyKeyword: report }),
  },
  {
    name: 'default-export',
    scope: 'code',
    what: 'a default export',
    instead: 'a named export',
    visit: (report) => ({
      ExportDefaultDeclaration: report,
      ExportSpecifier(node) {
        if (node.exported.type === 'Identifier' && node.exported.name === 'default') report(node)
      },
    }),
  },
]

/** Every occurrence of the bans of the given scopes, exempt or not. */
export function bansHitBy(source: Source, scopes: ReadonlySet<BanScope>): readonly BanHit[] {
  return bans
    .filter(({ scope }) => scopes.has(scope))
    .flatMap((ban) => {
      const hits: BanHit[] = []
      new Visitor(ban.visit((node) => hits.push({ ban, line: source.lineAt(node.start) }))).visit(source.program)
      return hits
    })
}
