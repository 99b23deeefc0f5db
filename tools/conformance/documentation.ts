import { existsSync, readdirSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { areas, type Guarantee, guarantees } from '@posthaste/conformance'
import { mutants } from '@posthaste/conformance/mutants'
import type { FaultDocument } from '../faults/report.ts'
import { ownEngines } from './engines.ts'
import { faultsText } from './fault-table.ts'
import { type ConformanceDocument, figuresText } from './report.ts'

/** The runs that are kept beside the page. */
export interface KeptRuns {
  readonly conformance: readonly ConformanceDocument[]
  readonly faults: readonly FaultDocument[]
}

/** Reads what is kept in a folder; runs with faults are in a folder of it. */
export function keptRuns(dir: string): KeptRuns {
  return { conformance: documentsIn(dir), faults: documentsIn(join(dir, 'faults')) }
}

function documentsIn<T>(dir: string): readonly T[] {
  if (!existsSync(dir)) return []
  const names = readdirSync(dir).filter((name) => name.endsWith('.json'))
  return names.sort().map((name) => JSON.parse(readFileSync(join(dir, name), 'utf8')) as T)
}

/** Begins and ends a part of the page that is written by a program. */
const marker = (part: string, end: 'begin' | 'end') => `<!-- ${end} ${part}: npm run conformance -- --write-docs -->`

const parts = ['guarantees', 'matrix', 'faults', 'mutants'] as const

/**
 * The page with its generated parts written anew.
 * @throws Error when a marker is missing
 */
export function written(page: string, { conformance, faults }: KeptRuns): string {
  const place = ({ engine }: { readonly engine: string }) => (ownEngines as readonly string[]).indexOf(engine)
  const inOrder = <T extends { readonly engine: string }>(kept: readonly T[]) =>
    [...kept].sort((a, b) => place(a) - place(b))
  const runs = inOrder(conformance)
  const texts = {
    guarantees: guaranteesText(),
    matrix: matrixText(runs),
    faults: faultsText(inOrder(faults)),
    mutants: mutantsText(runs),
  }
  return parts.reduce((text, part) => replaced(text, part, texts[part]), page)
}

function replaced(page: string, part: string, text: string): string {
  const [begin, end] = [marker(part, 'begin'), marker(part, 'end')]
  const [from, to] = [page.indexOf(begin), page.indexOf(end)]
  if (from < 0 || to < from) throw new Error(`the page has no part between ${begin} and ${end}`)
  return `${page.slice(0, from + begin.length)}\n\n${text}\n\n${page.slice(to)}`
}

function guaranteesText(): string {
  return areas
    .map((area) => [area, guarantees.filter((guarantee) => guarantee.area === area)] as const)
    .filter(([, own]) => own.length > 0)
    .map(([area, own]) => [`## ${area}`, ...own.map(paragraphOf)].join('\n\n'))
    .join('\n\n')
}

const paragraphOf = ({ id, title, promise }: Guarantee): string =>
  `<a id="${id.toLowerCase()}"></a>**${id}. ${title}.** ${promise}`

function matrixText(runs: readonly ConformanceDocument[]): string {
  const heads = runs.map(({ engine }) => engine)
  const rows = guarantees.map(({ id, title }) => {
    const cells = runs.map((run) => {
      const found = run.guarantees.find((each) => each.id === id)
      if (found === undefined) return 'not run'
      return `${found.passed ? '✓' : '✗'} ${found.support}: ${figuresText(found.figures)}`
    })
    return row([`[${id}](#${id.toLowerCase()}) ${title}`, ...cells])
  })
  return [row(['guarantee', ...heads]), row(['---', ...heads.map(() => '---')]), ...rows].join('\n')
}

function mutantsText(runs: readonly ConformanceDocument[]): string {
  const heads = runs.map(({ engine }) => engine)
  const rows = mutants.map(({ name, fault }) => {
    const cells = runs.map((run) => {
      const found = run.mutants.find((each) => each.name === name)
      if (found === undefined) return 'not run'
      if (found.lacking !== undefined) return found.lacking
      return found.caughtBy.length > 0 ? found.caughtBy.join(', ') : '✗ not found'
    })
    return row([`\`${name}\``, fault, ...cells])
  })
  return [row(['mutant', 'what it does', ...heads]), row(['---', '---', ...heads.map(() => '---')]), ...rows].join('\n')
}

const row = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`
