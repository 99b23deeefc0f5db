import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, lull, opened, published, TestMember } from '../test/rig.ts'
import type { DurableSubscription } from './durable-engine.ts'
import type { EmbeddedEngine } from './engine.ts'

let directories = new Directories()
let engine: EmbeddedEngine
let dir: string
beforeEach(async () => {
  directories = new Directories()
  dir = directories.fresh()
  engine = (await opened(dir)).engine
  await declared(engine)
})
afterEach(async () => {
  await engine.close()
  directories.remove()
})

const ack = ({ tag }: { readonly tag: number }) => ({ kind: 'ack', tag }) as const
const vanish = (member: TestMember) => (member.subscription as DurableSubscription).vanish()
const seen = (member: TestMember) => member.received.map(({ record: { id }, attempt }) => `${id}:${attempt}`)

describe('a member that vanishes', () => {
  it('counts what it had in hand as an attempt, and nothing else, in the order of its key', async () => {
    await published(engine, ...['a', 'b', 'c'].map((id) => record(id, { key: 'k' })))
    const gone = await TestMember.join(engine, 2)
    await gone.take(2)
    await vanish(gone)
    const next = await TestMember.join(engine, 10)
    await next.take(3)
    expect(seen(next)).toEqual(['a:2', 'b:2', 'c:1'])
  })

  it('leaves what it had settled, and can settle nothing any more', async () => {
    await published(engine, record('a'), record('b'))
    const gone = await TestMember.join(engine, 2)
    const [first, second] = await gone.take(2)
    await gone.settle(ack(first!))
    await vanish(gone)
    const [outcome] = await gone.subscription.settle([ack(second!)])
    expect(outcome).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
    const next = await TestMember.join(engine, 10)
    await next.take(1)
    await lull(engine)
    expect(seen(next)).toEqual(['b:2'])
  })

  it('is remembered over a crash of the engine', async () => {
    await published(engine, record('a'), record('b'))
    const gone = await TestMember.join(engine, 1)
    await gone.take(1)
    await vanish(gone)
    await lull(engine)
    const copy = directories.fresh()
    await copyAsKilled(dir, copy)
    const again = (await opened(copy)).engine
    const next = await TestMember.join(again, 10)
    await next.take(2)
    expect(seen(next)).toEqual(['a:2', 'b:1'])
    await again.close()
  })

  it('twice with a record in hand has that record handed over alone', async () => {
    await published(engine, ...['a', 'b', 'c'].map((id) => record(id)))
    for (let times = 0; times < 2; times++) {
      const gone = await TestMember.join(engine, 3)
      await gone.take(3)
      await vanish(gone)
    }
    const next = await TestMember.join(engine, 3)
    for (let left = 3; left > 0; left--) {
      const [alone] = await next.take(1)
      await lull(engine)
      expect(next.received).toHaveLength(4 - left)
      await next.settle(ack(alone!))
    }
    expect(seen(next)).toEqual(['a:3', 'b:3', 'c:3'])
  })

  it('does nothing after it has left, and leaves nothing to do', async () => {
    await published(engine, record('a'))
    const gone = await TestMember.join(engine, 1)
    await gone.take(1)
    await gone.subscription.stop()
    await vanish(gone)
    const next = await TestMember.join(engine, 1)
    await next.take(1)
    expect(seen(next)).toEqual(['a:1'])
    expect([...(next.subscription as DurableSubscription).held()].map(({ tag }) => tag)).toEqual([1])
    expect([...(gone.subscription as DurableSubscription).held()]).toEqual([])
  })
})

describe('the topology of an engine', () => {
  it('is what was declared', async () => {
    const queue = { name: 'q', kind: 'queue', keyed: false, priorities: 3 } as const
    await engine.declare({
      channels: [queue],
      groups: [{ channel: 'c', group: 't', from: 'next', lifetime: 'temporary' }],
    })
    expect(engine.topology()).toEqual({
      channels: [{ name: 'c', kind: 'log', keyed: true }, queue],
      groups: [
        { channel: 'c', group: 'g', from: 'next' },
        { channel: 'c', group: 't', from: 'next', lifetime: 'temporary' },
      ],
    })
  })
})
