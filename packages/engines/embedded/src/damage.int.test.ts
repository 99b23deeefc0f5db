import { manualClock, silentLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { inside } from '../test/inside.ts'
import { Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, lull, opened, published, TestMember } from '../test/rig.ts'
import { EmbeddedEngine } from './engine.ts'
import { seal, unseal } from './storage/seal.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

/** Flips bits of every stored block where `at` says. */
function damage(dir: string, at: (block: Buffer) => number): Promise<void> {
  return inside(dir, async (table) => {
    const blocks = table('blocks')
    for (const { key, value } of [...blocks.getRange()]) {
      const where = at(value)
      value.writeUInt8(value.readUInt8(where) ^ 0xff, where)
      await blocks.put(key, value)
    }
  })
}

const quarantined = (dir: string) => inside(dir, async (table) => [...table('quarantine').getRange()])

async function written(dir: string, kind: 'log' | 'queue' = 'log'): Promise<void> {
  const { engine } = await opened(dir)
  await declared(engine, ['g', 'h'].slice(0, kind === 'log' ? 2 : 1), { kind })
  await published(engine, ...['first', 'second', 'third'].map((id) => record(id, { key: 'k' })))
  await engine.close()
}

describe.each(['log', 'queue'] as const)('damage in a %s', (kind) => {
  it('to one record costs that record alone, is told with channel and offset, and its bytes are kept', async () => {
    const dir = directories.fresh()
    await written(dir, kind)
    await damage(dir, (block) => block.indexOf('second'))
    const { engine, log, states } = await opened(dir)
    const member = await TestMember.join(engine, 10)
    await member.take(2)
    await lull(engine)
    expect(member.ids).toEqual(['first', 'third'])
    await member.settle(...member.received.map(({ tag }) => ({ kind: 'ack', tag }) as const))
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 0, waiting: 0, inFlight: 0 })
    expect(states.at(-1)).toMatchObject(['degraded', { code: 'ENGINE_CORRUPT', details: { channel: 'c', offset: 1 } }])
    expect(log.entries.filter(({ level }) => level === 'error')).toHaveLength(1)
    await engine.close()
    const kept = await quarantined(dir)
    expect(kept).toHaveLength(1)
    expect(kept[0]?.value.includes('third')).toBe(true)
  })

  it('to the trailer of a block costs no record, and is told', async () => {
    const dir = directories.fresh()
    await written(dir, kind)
    await damage(dir, (block) => block.length - 3)
    const { engine, states } = await opened(dir)
    const member = await TestMember.join(engine, 10)
    await member.take(3)
    expect(member.ids).toEqual(['first', 'second', 'third'])
    expect(states.at(-1)).toMatchObject(['degraded', { code: 'ENGINE_CORRUPT' }])
    await engine.close()
    expect(await quarantined(dir)).toHaveLength(1)
  })

  it('to all of a block costs that block, and neither what follows nor the groups', async () => {
    const dir = directories.fresh()
    await written(dir, kind)
    await inside(dir, async (table) => {
      const blocks = table('blocks')
      for (const { key, value } of [...blocks.getRange()]) await blocks.put(key, Buffer.alloc(value.length))
    })
    const { engine, states } = await opened(dir)
    await published(engine, record('fourth', { key: 'k' }))
    const member = await TestMember.join(engine, 10)
    await member.take(1)
    await lull(engine)
    expect(member.ids).toEqual(['fourth'])
    await member.settle(...member.received.map(({ tag }) => ({ kind: 'ack', tag }) as const))
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 0, waiting: 0, inFlight: 0 })
    expect(states.at(-1)).toMatchObject(['degraded', { code: 'ENGINE_CORRUPT', details: { channel: 'c', offset: 0 } }])
    await engine.close()
  })
})

describe('damage to a record with a history', () => {
  it('that holds its key, or is watched alone, lets the others go on', async () => {
    const dir = directories.fresh()
    await written(dir)
    const before = await opened(dir)
    const member = await TestMember.join(before.engine, 3)
    const [first, ...rest] = await member.take(3)
    if (first === undefined) throw new Error('nothing came')
    await member.settle(
      { kind: 'release', tag: first.tag, countsAttempt: true, holdKey: true },
      ...rest.map(({ tag }) => ({ kind: 'release', tag, countsAttempt: false }) as const),
    )
    await before.engine.close()
    await damage(dir, (block) => block.indexOf('first'))
    // As after two crashes with it in hand.
    await inside(dir, async (table) => {
      const entries = table('entries')
      for (const { key, value } of [...entries.getRange()]) {
        const entry = unseal(key, value) ?? Buffer.alloc(0)
        entry.writeUInt8(2, 5)
        await entries.put(key, seal(key, entry))
      }
    })
    const { engine } = await opened(dir)
    const heir = await TestMember.join(engine, 10)
    for (const id of ['second', 'third']) {
      const [delivery] = await heir.take(1)
      expect(delivery?.record.id).toBe(id)
      if (delivery !== undefined) await heir.settle({ kind: 'ack', tag: delivery.tag })
    }
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 0, waiting: 0, inFlight: 0 })
    await engine.close()
  })

  it('in a block of which nothing is left, lets its key go on', async () => {
    const dir = directories.fresh()
    await written(dir)
    const before = await opened(dir)
    const member = await TestMember.join(before.engine, 1)
    const [first] = await member.take(1)
    if (first === undefined) throw new Error('nothing came')
    await member.settle({ kind: 'release', tag: first.tag, countsAttempt: true, holdKey: true })
    await before.engine.close()
    await inside(dir, async (table) => {
      const blocks = table('blocks')
      for (const { key, value } of [...blocks.getRange()]) await blocks.put(key, Buffer.alloc(value.length))
    })
    const { engine } = await opened(dir)
    await published(engine, record('fourth', { key: 'k' }))
    expect((await (await TestMember.join(engine, 10)).take(1))[0]?.record.id).toBe('fourth')
    await engine.close()
  })
})

describe('damage to what stands about the records', () => {
  it('is refused as ENGINE_CORRUPT, deletes nothing, and leaves the directory free', async () => {
    const dir = directories.fresh()
    await written(dir)
    const spec = await inside(dir, async (table) => {
      const topology = table('topology')
      const before = topology.get(Buffer.from('channel/c'))
      await topology.put(Buffer.from('channel/c'), Buffer.from('{"spec":'))
      return before
    })
    for (let attempt = 0; attempt < 2; attempt++) {
      await expect(opened(dir)).rejects.toMatchObject({ code: 'ENGINE_CORRUPT' })
    }
    await inside(dir, async (table) => table('topology').put(Buffer.from('channel/c'), spec ?? Buffer.alloc(0)))
    const { engine } = await opened(dir)
    expect((await (await TestMember.join(engine, 10)).take(3)).map(({ record: { id } }) => id)).toEqual([
      'first',
      'second',
      'third',
    ])
    await engine.close()
  })

  it('leaves nothing behind that keeps time for what could not be opened', async () => {
    const dir = directories.fresh()
    const clock = manualClock()
    const open = async (): Promise<EmbeddedEngine> => {
      const engine = new EmbeddedEngine({ dir })
      await engine.open({ clock, log: silentLog, instance: 'test', random: () => 0.5, onState: () => {} })
      return engine
    }
    const engine = await open()
    await engine.declare({
      channels: [{ name: 'c', kind: 'log', keyed: false, deduplicateForMs: 600_000, retention: { forMs: 600_000 } }],
      groups: [{ channel: 'c', group: 'g', from: 'next' }],
    })
    await published(engine, record('known'))
    await engine.close()
    await inside(dir, async (table) => {
      for (const { key, value } of [...table('cursors').getRange()]) {
        value.writeUInt8(value.readUInt8(0) ^ 1, 0)
        await table('cursors').put(key, value)
      }
    })
    await expect(open()).rejects.toMatchObject({ code: 'ENGINE_CORRUPT' })
    expect(clock.pending()).toBe(0)
  })

  it.each(['topology', 'tails', 'cursors', 'settled', 'entries'])(
    'is found by a flipped bit anywhere in a row of %s, which is named, and nothing is deleted',
    async (name) => {
      const dir = directories.fresh()
      await writtenWithAPast(dir)
      const rows = await inside(dir, async (table) => [...table(name).getRange()])
      expect(rows.length).toBeGreaterThan(0)
      for (const { key, value } of rows) {
        for (let bit = 0; bit < 8 * value.length; bit += 5) {
          const flipped = Buffer.from(value)
          flipped.writeUInt8(value.readUInt8(bit >> 3) ^ (1 << (bit & 7)), bit >> 3)
          await inside(dir, async (table) => table(name).put(key, flipped))
          await expect(opened(dir)).rejects.toMatchObject({
            code: 'ENGINE_CORRUPT',
            message: expect.stringContaining(`'${name}'`),
            details: { table: name },
          })
        }
        await inside(dir, async (table) => table(name).put(key, value))
      }
      const { engine } = await opened(dir)
      expect((await (await TestMember.join(engine, 10)).take(1))[0]?.record.id).toBe('third')
      await engine.close()
    },
  )

  it('costs a scheduled record whose row it hits, which is told and kept, and no other', async () => {
    const dir = directories.fresh()
    const before = await opened(dir)
    await declared(before.engine)
    const dueAtMs = Date.now() + 200
    await published(before.engine, record('lost', { dueAtMs }), record('kept', { dueAtMs: dueAtMs + 1 }))
    await before.engine.close()
    await inside(dir, async (table) => {
      const [first] = [...table('timers').getRange()]
      if (first === undefined) throw new Error('there is no timer')
      // The first bytes say which channel it is for.
      first.value.writeUInt8(first.value.readUInt8(3) ^ 1, 3)
      await table('timers').put(first.key, first.value)
    })
    const { engine, states } = await opened(dir)
    const member = await TestMember.join(engine, 10)
    expect((await member.take(1))[0]?.record.id).toBe('kept')
    await lull(engine)
    expect(member.ids).toEqual(['kept'])
    expect(states.at(-1)).toMatchObject(['degraded', { code: 'ENGINE_CORRUPT' }])
    expect(await engine.scheduling.cancel('c', 'lost')).toBe(false)
    await engine.close()
    expect(await quarantined(dir)).toHaveLength(1)
  })
})

/** A directory with a row in each table: records that are settled out of order, and one that waits for its retry. */
async function writtenWithAPast(dir: string): Promise<void> {
  const { engine } = await opened(dir)
  await declared(engine, ['g'], { kind: 'queue' })
  await published(engine, ...['first', 'second'].map((id) => record(id)))
  await published(engine, ...['third', 'fourth'].map((id) => record(id)))
  const member = await TestMember.join(engine, 4)
  const held = await member.take(4)
  const tagOf = (id: string) => held.find((each) => each.record.id === id)?.tag ?? 0
  await member.settle(
    { kind: 'release', tag: tagOf('first'), countsAttempt: true, visibleAtMs: Date.now() + 3_600_000 },
    { kind: 'ack', tag: tagOf('second') },
    { kind: 'ack', tag: tagOf('fourth') },
  )
  await engine.close()
}
