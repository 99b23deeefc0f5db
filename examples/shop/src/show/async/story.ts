import { join } from 'node:path'
import type { Account, Claim, Figure, StoryOptions } from '../account.ts'
import { senderTo } from '../load/request.ts'
import { type Tally, tallyOf } from '../load/tally.ts'
import { volley } from '../load/volley.ts'
import { type OpenStage, onStages } from '../stage/open.ts'
import type { Done } from './stage.ts'

const loginsPerS = 50

/** What came of the logins at one of the two. */
interface Run {
  readonly tally: Tally
  readonly done: Done
  /** From the last answer until the last mail and the last line of the log. */
  readonly behindMs: number
}

/**
 * Who logs in is sent a mail, and a line is written to a log of somebody else's. Done before the answer, both are part of
 * the wait; published, they are done all the same, a little later. Both run at the same time, under the same load.
 */
export async function asynchronous({ dir, seconds = 6 }: StoryOptions): Promise<Account> {
  const program = new URL('stage.ts', import.meta.url)
  const variants = [
    { dir: join(dir, 'done-first'), published: false },
    { dir: join(dir, 'published'), published: true },
  ]
  const runs = await onStages(program, variants, (...stages) => Promise.all(stages.map((stage) => run(stage, seconds))))
  return account(runs, seconds)
}

async function run(stage: OpenStage, seconds: number): Promise<Run> {
  const sender = senderTo(stage.url)
  const logIn = (visitNo: number) =>
    sender.send({ method: 'POST', path: '/api/login', body: { visitNo, user: `user${visitNo % 100}` } })
  try {
    const tally = tallyOf(await volley([{ perS: loginsPerS, forMs: seconds * 1_000 }], logIn))
    const answeredAtMs = performance.now()
    const done = await stage.ask<Done>('finish')
    return { tally, done, behindMs: performance.now() - answeredAtMs }
  } finally {
    sender.close()
  }
}

function account(runs: readonly Run[], seconds: number): Account {
  return {
    story: 'async',
    scene: `${loginsPerS} logins come each second, for ${seconds} s. For each a mail goes to a server that takes 80 ms, every 25th time 600, and a line to a log that takes 15 ms.`,
    variants: ['done first', 'published'],
    figures: figuresOf(runs),
    charts: [],
    claims: claimsOf(runs),
  }
}

function figuresOf(runs: readonly Run[]): Figure[] {
  const of = (what: string, unit: string, figureOf: (run: Run) => number): Figure => {
    return { what, unit, values: runs.map(figureOf) }
  }
  return [
    of('logins', '', ({ tally }) => tally.sent),
    of('  answered', '', ({ tally }) => tally.answered),
    of('  wait, median', 'ms', ({ tally }) => tally.p50Ms),
    of('  wait, p99', 'ms', ({ tally }) => tally.p99Ms),
    of('mails delivered', '', ({ done }) => done.mails),
    of('lines in the log', '', ({ done }) => done.logs),
    of('done after the last answer', 'ms', ({ behindMs }) => behindMs),
  ]
}

function claimsOf(runs: readonly Run[]): Claim[] {
  return [
    { what: 'every login is answered', holds: runs.every(({ tally }) => tally.answered === tally.sent) },
    { what: 'every mail is delivered', holds: runs.every(({ tally, done }) => done.mails === tally.sent) },
    { what: 'every line is in the log', holds: runs.every(({ tally, done }) => done.logs === tally.sent) },
  ]
}
