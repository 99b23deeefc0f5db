import { isTest, type Source } from '../workspace/source.ts'
import { commentLines, functionsOf, lineCount, type Spread, spreadOf } from './measure.ts'

/** What we aim for and only tell: a number met by splitting what belongs together is worse than one missed. */
const aims = 'aim: files 100/300/500, functions p90 30 and max 70, comments 20-30 %, tests at least as long as sources'

/** Sizes, comment share and the proportion of tests, as lines to print. */
export function report(sources: readonly Source[]): readonly string[] {
  const product = sources.filter(({ path }) => !isTest(path))
  const tests = sources.filter(({ path }) => isTest(path))
  const total = (files: readonly Source[], measure: (file: Source) => number): number =>
    files.reduce((sum, file) => sum + measure(file), 0)
  const lines = total(product, lineCount)
  const functions = product.flatMap(functionsOf)
  const share = lines === 0 ? 0 : Math.round((100 * total(product, commentLines)) / lines)
  const ratio = lines === 0 ? 0 : total(tests, lineCount) / lines
  const longestFiles = product
    .map((source) => ({ path: source.path, lines: lineCount(source) }))
    .sort((a, b) => b.lines - a.lines)
    .slice(0, 5)
  const longestFunctions = functions.sort((a, b) => b.lines - a.lines).slice(0, 5)
  return [
    `files      ${spread(spreadOf(product.map(lineCount)))}  (${product.length} files, ${lines} lines)`,
    ...longestFiles.map(({ path, lines }) => `  ${String(lines).padStart(4)}  ${path}`),
    `functions  ${spread(spreadOf(functions.map(({ lines }) => lines)))}  (${functions.length} functions)`,
    ...longestFunctions.map(({ path, line, name, lines }) => `  ${String(lines).padStart(4)}  ${name} ${path}:${line}`),
    `comments   ${share} % of lines`,
    `tests      ${ratio.toFixed(2)} lines per source line`,
    aims,
  ]
}

function spread({ median, p90, max }: Spread): string {
  return `median ${median}, p90 ${p90}, max ${max}`
}
