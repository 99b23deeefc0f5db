import { fork } from 'node:child_process'
import { once } from 'node:events'
import { readFileSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { afterEach, expect, it } from 'vitest'
import { Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, opened, published } from '../test/rig.ts'

const directories = new Directories()
afterEach(() => directories.remove())

/** Runs a worker until it ends: how it ended. */
async function worked(dir: string, journal: string): Promise<string | number> {
  const child = fork(fileURLToPath(new URL('../test/worker.ts', import.meta.url)), [dir, journal], {
    execArgv: ['--conditions=source'],
  })
  const [code, signal] = (await once(child, 'exit')) as [number | null, string | null]
  return signal ?? code ?? 0
}

it.each([{ keyed: false }, { keyed: true }])(
  'a record that kills the process uses up its attempts and takes none of its 50 neighbours with it %o',
  async ({ keyed }) => {
    const dir = directories.fresh()
    const journal = join(dirname(dir), `journal-${keyed}`)
    const { engine } = await opened(dir)
    await declared(engine)
    const ids = Array.from({ length: 50 }, (_, index) => `innocent-${index}`)
    ids.splice(20, 0, 'poison')
    await published(engine, ...ids.map((id, index) => record(id, keyed ? { key: `k${index % 7}` } : {})))
    await engine.close()

    const ends: (string | number)[] = []
    do ends.push(await worked(dir, journal))
    while (ends.at(-1) === 'SIGKILL' && ends.length < 20)

    expect(ends).toEqual([...Array.from({ length: 6 }, () => 'SIGKILL'), 0])
    const lines = readFileSync(journal, 'utf8').trim().split('\n')
    expect(lines.filter((line) => line.startsWith('dead'))).toEqual(['dead poison 7'])
    const given = lines.map((line) => line.split(' ')).filter(([what]) => what === 'given')
    const innocent = given.filter(([, id]) => id !== 'poison')
    expect(Math.max(...innocent.map(([, , attempt]) => Number(attempt)))).toBeLessThanOrEqual(3)
    expect(given.filter(([, id]) => id === 'poison').map(([, , attempt]) => Number(attempt))).toEqual([
      1, 2, 3, 4, 5, 6,
    ])
    const done = lines.filter((line) => line.startsWith('done')).map((line) => line.split(' ')[1])
    expect([...done].sort()).toEqual([...ids].sort())
  },
)
