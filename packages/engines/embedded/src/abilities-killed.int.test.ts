import { fork } from 'node:child_process'
import { once } from 'node:events'
import { existsSync, readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { setTimeout as wait } from 'node:timers/promises'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { opened, published, TestMember } from '../test/rig.ts'

const directories = new Directories()
afterEach(() => directories.remove())

/** Lines of a journal by what they tell. */
function told(journal: string): (what: string) => Set<string> {
  const lines = existsSync(journal) ? readFileSync(journal, 'utf8').trim().split('\n') : []
  return (what) =>
    new Set(lines.map((line) => line.split(' ')).flatMap(([said, id]) => (said === what && id ? [id] : [])))
}

/** Lets a publisher work for a while, and kills it in the middle. */
async function killedPublisher(dir: string, journal: string, from: number): Promise<void> {
  const before = told(journal)('confirmed').size
  const child = fork(
    fileURLToPath(new URL('../test/publisher-worker.ts', import.meta.url)),
    [dir, journal, String(from)],
    { execArgv: ['--conditions=source'] },
  )
  const ended = once(child, 'exit')
  while (told(journal)('confirmed').size < before + 60) await wait(5)
  child.kill('SIGKILL')
  expect(await ended).toEqual([null, 'SIGKILL'])
}

it('a process that is killed again and again decides each prepared record once, and repeats no id', async () => {
  const dir = directories.fresh()
  const journal = join(dirname(dir), 'journal')
  for (let round = 0; round < 5; round++) await killedPublisher(dir, journal, round * 100_000)

  const ids = told(journal)
  const { engine } = await opened(dir)
  const waiting = new Set((await engine.preparing.prepared('c', 10_000)).map((each) => each.record.id))
  // Whoever was not answered asks again: what stands is known by its id.
  await published(engine, ...[...ids('published')].map((id) => record(id)))
  const stood = (await engine.lag.lag('c', 'g')).ready
  const member = await TestMember.join(engine, stood)
  const given = await member.take(stood)
  const delivered = given.map((each) => each.record.id)
  const levels = given.map((each) => Math.min(2, each.record.priority ?? 0))
  const seen = new Set(delivered)

  expect(delivered).toHaveLength(seen.size)
  for (const id of ids('published')) expect(seen).toContain(id)
  for (const id of ids('committed')) expect([seen.has(id), waiting.has(id)]).toEqual([true, false])
  for (const id of ids('taken-back')) expect([seen.has(id), waiting.has(id)]).toEqual([false, false])
  for (const id of ids('committing')) expect(seen.has(id) !== waiting.has(id)).toBe(true)
  for (const id of ids('taking-back')) expect(seen.has(id)).toBe(false)
  expect(levels).toEqual([...levels].sort((a, b) => b - a))
  expect(ids('committed').size).toBeGreaterThan(0)
  await engine.close()
})
