import type { OutgoingRecord } from '@posthaste/contracts'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { Directories } from '../test/installation.ts'
import { record } from '../test/records.ts'
import { declared, lull, opened, published, TestMember } from '../test/rig.ts'
import { Store } from './storage/store.ts'

let directories = new Directories()
beforeEach(() => {
  directories = new Directories()
})
afterEach(() => directories.remove())

const nothingLeft = { ready: 0, waiting: 0, inFlight: 0 }
const ack = ({ tag }: { readonly tag: number }) => ({ kind: 'ack', tag }) as const
const only = (...ids: readonly string[]) => ({ accepts: ({ id }: OutgoingRecord) => ids.includes(id) })

describe('a filter', () => {
  it('settles what it refuses, durably, without spending credit on it', async () => {
    const dir = directories.fresh()
    let { engine } = await opened(dir)
    await declared(engine)
    await published(engine, ...['1', '2', '3', '4', '5'].map((id) => record(id, { key: 'k' })))
    const member = await TestMember.join(engine, 3, { filter: only('2', '4') })
    await member.settle(...(await member.take(2)).map(ack))
    await lull(engine)
    expect(member.ids).toEqual(['2', '4'])
    expect(await engine.lag.lag('c', 'g')).toEqual(nothingLeft)
    await engine.close()
    engine = (await opened(dir)).engine
    expect(await engine.lag.lag('c', 'g')).toEqual(nothingLeft)
    await engine.close()
  })

  it('goes through a backlog that nobody wants in portions, and finds the one record in it', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    const many = Array.from({ length: 20_000 }, (_, index) => record(String(index)))
    await published(engine, ...many)
    let turns = 0
    let counting = setImmediate(function count() {
      turns++
      counting = setImmediate(count)
    })
    const member = await TestMember.join(engine, 1, { filter: only('19999') })
    expect((await member.take(1))[0]?.record.id).toBe('19999')
    clearImmediate(counting)
    // In one go it would be one or two.
    expect(turns).toBeGreaterThan(4)
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 1, waiting: 0, inFlight: 1 })
    await engine.close()
  })

  it('costs a transaction for a block, and not for each record that it accepts', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    const many = Array.from({ length: 1_000 }, (_, index) => record(String(index)))
    await published(engine, ...many)
    const commits = vi.spyOn(Store.prototype, 'commit')
    const accepted = many.filter((_, index) => index % 50 === 0).map(({ id }) => id)
    const member = await TestMember.join(engine, 20, { filter: only(...accepted) })
    await member.take(20)
    expect(member.ids).toEqual(accepted)
    expect(commits.mock.calls.length).toBeLessThanOrEqual(4)
    commits.mockRestore()
    await engine.close()
  })

  it('goes with the member that brought it: what others take is not settled unseen', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    const member = await TestMember.join(engine, 5)
    const choosy = await TestMember.join(engine, 5, { filter: only() })
    await choosy.subscription.stop()
    await published(engine, record('1'))
    await lull(engine)
    expect(member.ids).toEqual(['1'])
    await engine.close()
  })

  it('ends the hold of a record that it refuses when that comes again, and passes what was addressed to the group', async () => {
    const { engine } = await opened(directories.fresh())
    await declared(engine)
    await published(engine, record('1', { key: 'k' }), record('2', { key: 'k' }), record('3', { group: 'g' }))
    const before = await TestMember.join(engine, 1)
    const [first] = await before.take(1)
    if (first === undefined) throw new Error('nothing came')
    await before.settle({ kind: 'release', tag: first.tag, countsAttempt: true, holdKey: true })
    await before.subscription.stop()
    const member = await TestMember.join(engine, 5, { filter: only('2') })
    await member.take(1)
    await lull(engine)
    expect(member.ids).toEqual(['2'])
    expect(await engine.lag.lag('c', 'g')).toEqual({ ready: 1, waiting: 0, inFlight: 1 })
    await engine.close()
  })
})
