import { mkdtemp, rm, writeFile } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'
import { parseArgs } from 'node:util'
import { shown, UsageError, userPath, wholeNumber } from '../settings.ts'
import type { Account, StoryName } from './account.ts'
import { svgOf } from './charts/svg.ts'
import { reportOf } from './report.ts'
import { drawn, stories } from './stories.ts'

/** `npm run shop:show`: runs a story on the shop and prints its figures. Exits with 0 only if all that must hold does. */
const names = Object.keys(stories) as StoryName[]
const usage = `usage: npm run shop:show -- <${names.join('|')}> [--seconds <1-60>] [--json] [--svg <file>]
Figures are measured in this run, on a shop in a directory that is removed afterwards.`

try {
  process.exitCode = (await show()) ? 0 : 1
} catch (error) {
  process.stderr.write(shown(error, usage))
  process.exitCode = 1
}

async function show(): Promise<boolean> {
  const { name, seconds, json, svg } = readArguments()
  const dir = await mkdtemp(join(tmpdir(), `posthaste-${name}-`))
  try {
    const account = await stories[name]({ dir, seconds })
    process.stdout.write(`${json ? JSON.stringify(account, undefined, 2) : reportOf(account)}\n`)
    if (svg !== undefined) await writeFile(userPath(svg), svgOf(account.charts))
    return hasHeld(account)
  } finally {
    await rm(dir, { recursive: true, force: true })
  }
}

function hasHeld({ claims }: Account): boolean {
  return claims.every(({ holds }) => holds)
}

function readArguments() {
  const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: { seconds: { type: 'string' }, json: { type: 'boolean', default: false }, svg: { type: 'string' } },
  })
  const [name, ...others] = positionals
  if (name === undefined || others.length > 0) throw new UsageError('tell one story at a time')
  if (!isStory(name)) throw new UsageError(`there is no story '${name}'`)
  const { json, svg } = values
  if (svg !== undefined && !drawn.has(name)) throw new UsageError(`the story of ${name} draws no chart`)
  const seconds = values.seconds === undefined ? undefined : Math.max(1, wholeNumber('--seconds', values.seconds, 60))
  return { name, seconds, json, svg }
}

function isStory(name: string): name is StoryName {
  return Object.hasOwn(stories, name)
}
