import { isTest, type Source } from '../workspace/source.ts'
import { type BanScope, bansHitBy } from './bans.ts'
import { type Commented, type Exemption, exemptionsIn, isExempt } from './exemptions.ts'
import { functionsOf, lineCount } from './measure.ts'

/** One thing to put right; `ban` is the name that an exemption would give. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly ban: string
  readonly message: string
}

/** Sizes that fail; those we aim for are lower and only reported. */
export const limits = { fileLinesMax: 500, functionLinesMax: 70 } as const

/** What holds for a TypeScript file, by its own text alone. */
export function checkSource(source: Source): readonly Finding[] {
  const comments = source.comments.map(({ value, start }) => ({ text: value, line: source.lineAt(start) }))
  const candidates = [...shapeOf(source), ...codeOf(source), ...unfinishedIn(source.path, comments)]
  const exemptions = exemptionsIn(comments).filter(({ ban }) => !isTextBan(ban))
  return settle(source.path, candidates, exemptions)
}

const textBans = [
  {
    ban: 'machine-path',
    pattern: /(?<![\w.:/-])\/(?:home|root|Users|work)\/[\w.-]+/,
    message: 'a path of one machine: use a path relative to the project',
  },
  {
    ban: 'registry-host',
    pattern: new RegExp(['registry\\.(?:npmjs|yarnpkg)\\.', 'npm\\.pkg\\.git', 'artifactory\\.'].join('|')),
    message: 'the host of a registry: each machine is told its own',
  },
] as const

/** What holds for the text of every file, whatever its language. */
export function checkText(path: string, text: string): readonly Finding[] {
  const candidates = text
    .split('\n')
    .flatMap((content, index) =>
      textBans
        .filter(({ pattern }) => pattern.test(content))
        .map(({ ban, message }) => ({ path, line: index + 1, ban, message })),
    )
  const exemptions = exemptionsIn([{ text, line: 1 }]).filter(({ ban }) => isTextBan(ban))
  return settle(path, candidates, exemptions)
}

function isTextBan(name: string): boolean {
  return textBans.some(({ ban }) => ban === name)
}

/** Drops what is exempt, and adds what is wrong with the exemptions themselves. */
function settle(path: string, candidates: readonly Finding[], exemptions: readonly Exemption[]): readonly Finding[] {
  const findings = candidates.filter(({ ban, line }) => !isExempt(exemptions, ban, line))
  for (const { ban, line, reason, used } of exemptions) {
    if (used) continue
    const fault = reason === '' ? 'gives no reason' : 'allows nothing: remove it'
    findings.push({ path, line, ban: 'exemption', message: `tidy-allow ${ban} ${fault}` })
  }
  return findings
}

function shapeOf(source: Source): readonly Finding[] {
  const { path } = source
  const findings: Finding[] = []
  const folder = /\/(utils?|common|helpers?|misc)\//.exec(path)?.[1]
  if (folder !== undefined) {
    findings.push({ path, line: 1, ban: 'drawer', message: `folder ${folder}/: name it after what is in it` })
  }
  if (isTest(path)) {
    const isSuite = /\.(test|test-d)\.ts$/.test(path)
    if (isSuite && !/\b(expect|assert)\w*\s*[(<.]/.test(source.text)) {
      findings.push({ path, line: 1, ban: 'toothless-test', message: 'a test that expects nothing' })
    }
    return findings
  }
  const lines = lineCount(source)
  if (lines > limits.fileLinesMax) {
    findings.push({ path, line: 1, ban: 'long-file', message: `${lines} lines (at most ${limits.fileLinesMax})` })
  }
  for (const { name, line, lines } of functionsOf(source)) {
    if (lines <= limits.functionLinesMax) continue
    const message = `${name} has ${lines} lines (at most ${limits.functionLinesMax})`
    findings.push({ path, line, ban: 'long-function', message })
  }
  return findings
}

function codeOf(source: Source): readonly Finding[] {
  if (isTest(source.path)) return []
  const scopes = new Set<BanScope>(/^packages\/.*\/src\//.test(source.path) ? ['code', 'library'] : ['code'])
  return bansHitBy(source, scopes).map(({ ban, line }) => ({
    path: source.path,
    line,
    ban: ban.name,
    message: `${ban.what}: use ${ban.instead}`,
  }))
}

function unfinishedIn(path: string, comments: readonly Commented[]): readonly Finding[] {
  return comments.flatMap(({ text, line }) =>
    text.split('\n').flatMap((content, offset) => {
      const word = /\b(FIXME|XXX)\b/.exec(content)?.[1]
      if (word === undefined) return []
      return [{ path, line: line + offset, ban: 'unfinished', message: `${word}: finish it, or say why it is so` }]
    }),
  )
}
