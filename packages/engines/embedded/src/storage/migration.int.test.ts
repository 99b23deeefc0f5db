import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inside } from '../../test/inside.ts'
import { Directories } from '../../test/installation.ts'
import { record } from '../../test/records.ts'
import { declared, opened, published, TestMember } from '../../test/rig.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const sealBytes = 4
const sealed = ['topology', 'tails', 'cursors', 'settled', 'entries', 'timers', 'scheduled']
const inAnHourMs = (): number => Date.now() + 3_600_000

/** A directory with a row in each table. */
async function written(dir: string): Promise<void> {
  const { engine } = await opened(dir)
  await declared(engine, ['g'], { kind: 'queue' })
  await published(engine, ...['first', 'second', 'third'].map((id) => record(id, { key: id })))
  await published(engine, ...['later', 'much later'].map((id) => record(id, { dueAtMs: inAnHourMs() })))
  const member = await TestMember.join(engine, 3)
  const [first, second] = await member.take(3)
  await member.settle(
    { kind: 'release', tag: first?.tag ?? 0, countsAttempt: true, holdKey: true },
    { kind: 'ack', tag: second?.tag ?? 0 },
  )
  await engine.close()
}

/** Makes of it what format 1 was: no row but a block has a checksum, and nobody counts what is scheduled. */
async function toFormat1(dir: string): Promise<void> {
  await inside(dir, async (table) => {
    for (const name of sealed)
      for (const { key, value } of [...table(name).getRange()])
        await table(name).put(key, value.subarray(0, value.length - sealBytes))
    await table('counts').clearAsync()
    await table('meta').put(Buffer.from('format'), Buffer.from('1'))
  })
}

const formatOf = (dir: string) => inside(dir, async (table) => table('meta').get(Buffer.from('format'))?.toString())

describe('a directory of format 1', () => {
  it('is brought to the present format when it is opened, with all that stood in it', async () => {
    const dir = directories.fresh()
    await written(dir)
    await toFormat1(dir)
    const { engine, states } = await opened(dir)
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 2, waiting: 2, inFlight: 0 })
    const member = await TestMember.join(engine, 10)
    const deliveries = await member.take(2)
    expect(deliveries.map(({ record: { id }, attempt }) => [id, attempt])).toEqual([
      ['first', 2],
      ['third', 1],
    ])
    expect(await engine.scheduling.cancel('c', 'later')).toBe(true)
    expect((await engine.lag.lag('c', 'g')).waiting).toBe(1)
    expect(states.map(([state]) => state)).toEqual(['connected'])
    await engine.close()
    expect(await formatOf(dir)).toBe('2')
  })

  it('is left as it is when not all of it can be brought over', async () => {
    const dir = directories.fresh()
    await written(dir)
    await toFormat1(dir)
    const broken = await inside(dir, async (table) => {
      const before = table('topology').get(Buffer.from('channel/c'))
      await table('topology').put(Buffer.from('channel/c'), Buffer.from('{'))
      return before
    })
    await expect(opened(dir)).rejects.toMatchObject({ code: 'ENGINE_CORRUPT' })
    expect(broken).toBeDefined()
  })
})

describe('a directory of a newer format', () => {
  it('is refused, naming both', async () => {
    const dir = directories.fresh()
    await written(dir)
    await inside(dir, async (table) => table('meta').put(Buffer.from('format'), Buffer.from('3')))
    await expect(opened(dir)).rejects.toMatchObject({
      code: 'ENGINE_FORMAT',
      message: expect.stringMatching(/format 3.*formats up to 2/),
      details: { found: '3', ours: 2 },
    })
    expect(await formatOf(dir)).toBe('3')
  })
})
