import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, lull, opened, published, TestMember } from '../test/rig.ts'
import type { DurableSubscription } from './durable-engine.ts'
import type { EmbeddedEngine } from './engine.ts'

const kib = 1024

let directories = new Directories()
let engine: EmbeddedEngine

beforeEach(async () => {
  directories = new Directories()
  ;({ engine } = await opened(directories.fresh()))
  await declared(engine)
})

afterEach(async () => {
  await engine.close()
  directories.remove()
})

const sized = (id: string, bytes: number, key?: string) => record(id, { key, body: new Uint8Array(bytes) })
const many = (count: number, bytes = 10 * kib) => Array.from({ length: count }, (_, at) => sized(`${at}`, bytes))
const idsTo = (count: number) => Array.from({ length: count }, (_, at) => `${at}`)

describe('a member that lets go of bodies', () => {
  const subscriptionOf = (member: TestMember) => member.subscription as DurableSubscription

  it('has more room for others, and all of what it let go of where it asks', async () => {
    await published(engine, ...many(6))
    const member = await TestMember.join(engine, 6, { bytesInHandMax: 25 * kib })
    const [first, second] = await member.take(3)
    subscriptionOf(member).letGo(1)
    subscriptionOf(member).letGo(2)
    await member.take(2)
    await lull(engine)
    expect(member.ids).toEqual(idsTo(5))
    expect(first).toMatchObject({ tag: 1, attempt: 1, record: { id: '0', channel: 'c', body: new Uint8Array() } })
    expect(subscriptionOf(member).restore(1)).toBe(true)
    expect(first!.record.body).toHaveLength(10 * kib)
    // It weighs again, so that to let go of the other is not enough.
    expect(second!.record.body).toHaveLength(0)
    await member.settle({ kind: 'ack', tag: 2 })
    await lull(engine)
    expect(member.received).toHaveLength(5)
    await member.settle({ kind: 'ack', tag: 1 }, { kind: 'ack', tag: 3 })
    await member.take(1)
    expect(member.ids).toEqual(idsTo(6))
  })

  it('gives back all of it, to whoever is handed it next', async () => {
    const body = Buffer.from('a body that is told apart')
    await published(engine, record('a', { body }), record('b', { body }))
    const member = await TestMember.join(engine, 3)
    await member.take(2)
    for (const tag of [1, 2]) subscriptionOf(member).letGo(tag)
    await member.settle({ kind: 'release', tag: 1, countsAttempt: true })
    const [again] = await member.take(1)
    expect(again).toMatchObject({ tag: 3, attempt: 2 })
    expect(Buffer.from(again!.record.body)).toEqual(body)
    await member.subscription.stop()
    const next = await TestMember.join(engine, 2)
    const bodies = (await next.take(2)).map((delivery) => Buffer.from(delivery.record.body))
    expect(bodies).toEqual([body, body])
  })

  it('has nothing to restore of what it has settled, and what was empty stays whole', async () => {
    await published(engine, record('a', { body: new Uint8Array() }), record('b'))
    const member = await TestMember.join(engine, 2)
    await member.take(2)
    const subscription = subscriptionOf(member)
    expect(subscription.restore(1)).toBe(true)
    subscription.letGo(2)
    await member.settle({ kind: 'ack', tag: 2 })
    subscription.letGo(2)
    expect(subscription.restore(2)).toBe(false)
  })
})

describe('a member with a bound of bytes', () => {
  it('has no more in hand, however much credit it has, and is given the rest as it settles', async () => {
    await published(engine, ...many(10))
    const member = await TestMember.join(engine, 9, { bytesInHandMax: 25 * kib })
    await member.take(3)
    await lull(engine)
    expect(member.ids).toEqual(idsTo(3))
    await member.settle({ kind: 'ack', tag: 1 }, { kind: 'ack', tag: 2 })
    await member.take(2)
    await lull(engine)
    expect(member.ids).toEqual(idsTo(5))
    for (let tag = 3; tag <= 9; tag++) await member.settle({ kind: 'ack', tag })
    await lull(engine)
    // As many as it was granted.
    expect(member.ids).toEqual(idsTo(9))
  })

  it('may grant more while it is at the bound', async () => {
    await published(engine, ...many(4))
    const member = await TestMember.join(engine, 2, { bytesInHandMax: 15 * kib })
    await member.take(2)
    member.subscription.grant(1)
    await lull(engine)
    expect(member.ids).toEqual(idsTo(2))
    await member.settle({ kind: 'ack', tag: 1 })
    await member.take(1)
    await lull(engine)
    expect(member.ids).toEqual(idsTo(3))
  })

  it('is handed one record, however large, and small ones are not free', async () => {
    await published(engine, sized('large', 100 * kib), ...many(300, 0))
    const member = await TestMember.join(engine, 1_000, { bytesInHandMax: 64 * kib })
    await member.take(1)
    await lull(engine)
    expect(member.ids).toEqual(['large'])
    await member.settle({ kind: 'ack', tag: 1 })
    await lull(engine)
    expect(member.received.length).toBeGreaterThan(100)
    expect(member.received.length).toBeLessThan(200)
  })

  it('leaves to others what it cannot take', async () => {
    await published(engine, ...many(6))
    const narrow = await TestMember.join(engine, 6, { bytesInHandMax: 1 })
    await narrow.take(1)
    const wide = await TestMember.join(engine, 5)
    await wide.take(5)
    await narrow.settle({ kind: 'ack', tag: 1 })
    await lull(engine)
    expect(narrow.received).toHaveLength(1)
  })

  it('keeps the order of its keys, and what it gives back comes again', async () => {
    await published(engine, ...['a', 'b', 'c', 'd'].map((id) => sized(id, kib, 'k')))
    const member = await TestMember.join(engine, 100, { bytesInHandMax: 2 * kib })
    await member.take(2)
    await member.settle({ kind: 'release', tag: 1, countsAttempt: true, holdKey: true }, { kind: 'ack', tag: 2 })
    const [again] = await member.take(1)
    expect(again).toMatchObject({ record: { id: 'a' }, attempt: 2 })
    await lull(engine)
    await member.settle({ kind: 'ack', tag: again!.tag })
    await member.take(2)
    expect(member.ids).toEqual(['a', 'b', 'a', 'c', 'd'])
  })

  it('never has more than the bound and one record, and is given all in the end', async () => {
    const step = fc.tuple(fc.boolean(), fc.nat(), fc.boolean())
    const sizes = fc.array(fc.integer({ min: 0, max: 3_000 }), { minLength: 1, maxLength: 40 })
    let round = 0
    await fc.assert(
      fc.asyncProperty(sizes, fc.array(step, { maxLength: 60 }), async (bytes, steps) => {
        round += 1
        const bytesInHandMax = 4_000
        await published(engine, ...bytes.map((each, at) => sized(`${round}.${at}`, each, at % 3 ? undefined : 'k')))
        const member = await TestMember.join(engine, 1_000, { bytesInHandMax })
        const inHand = new Map<number, number>()
        const seen = new Set<string>()
        let next = 0
        const look = async (): Promise<void> => {
          await new Promise((resolve) => setImmediate(resolve))
          for (; next < member.received.length; next++) {
            const { tag, record } = member.received[next]!
            inHand.set(tag, record.body.byteLength + 400)
            seen.add(record.id)
          }
          const all = [...inHand.values()]
          const sum = all.reduce((total, each) => total + each, 0)
          expect(sum - Math.max(0, ...all)).toBeLessThan(bytesInHandMax)
        }
        const settle = async (at: number, isDone: boolean): Promise<void> => {
          const tag = [...inHand.keys()][at % inHand.size]
          if (tag === undefined) return
          inHand.delete(tag)
          await member.settle(isDone ? { kind: 'ack', tag } : { kind: 'release', tag, countsAttempt: false })
        }
        for (const [settles, at, isDone] of steps) {
          if (settles) await settle(at, isDone)
          await look()
        }
        while (seen.size < bytes.length || inHand.size > 0) {
          await settle(0, true)
          await look()
        }
        await member.subscription.stop()
      }),
      { numRuns: 20 },
    )
  })
})
