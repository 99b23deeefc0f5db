import { execFileSync } from 'node:child_process'
import { existsSync, readFileSync } from 'node:fs'
import { join } from 'node:path'
import { parseSource } from '../workspace/source.ts'
import { readWorkspace } from '../workspace/workspace.ts'
import { checkSource, checkText, type Finding } from './check.ts'
import { undocumentedExports } from './documented.ts'
import { report } from './report.ts'

const workspace = readWorkspace(join(import.meta.dirname, '../..'))
const read = (path: string): string => readFileSync(join(workspace.root, path), 'utf8')
const sources = new Map(workspace.files.map((path) => [path, parseSource(path, read(path))]))

/** What git tracks or would track, without the files that are no text. */
const texts = execFileSync('git', ['ls-files', '-co', '--exclude-standard', '-z'], {
  cwd: workspace.root,
  encoding: 'utf8',
})
  .split('\0')
  .filter((path) => path !== '' && existsSync(join(workspace.root, path)))
  .map((path) => ({ path, text: read(path) }))
  .filter(({ text }) => !text.includes('\0'))

const entries = new Map(workspace.packages.flatMap((home) => [...home.entries]))
const lookup = { source: (path: string) => sources.get(path), entry: (specifier: string) => entries.get(specifier) }
const undocumented = new Map(
  workspace.packages
    .filter(({ isPrivate }) => !isPrivate)
    .flatMap((home) => [...home.entries.values()].flatMap((entry) => undocumentedExports(entry, lookup)))
    .map((symbol) => [`${symbol.path}#${symbol.name}`, symbol]),
)

const findings: readonly Finding[] = [
  ...[...sources.values()].flatMap(checkSource),
  ...texts.flatMap(({ path, text }) => checkText(path, text)),
  ...[...undocumented.values()].map(({ path, line, name }) => ({
    path,
    line,
    ban: 'undocumented',
    message: `${name} is exported to users and has no doc comment`,
  })),
]
for (const line of report([...sources.values()])) console.log(line)
for (const { path, line, ban, message } of findings) console.error(`${path}:${line} [${ban}] ${message}`)
console.log(`tidy: ${sources.size} sources, ${texts.length} texts, ${findings.length} findings`)
process.exitCode = findings.length > 0 ? 1 : 0
