import { describe, expect, it } from 'vitest'
import { declare, join, openEngine, record } from '../test/rig.ts'

const odd = { accepts: ({ id }: { readonly id: string }) => Number(id) % 2 === 1 }

describe('a filter', () => {
  it('settles what it refuses without a delivery, at no credit', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    const member = await join(engine, 3, { filter: odd })
    await engine.publish(['2', '1', '4', '3', '6', '5', '8'].map((id) => record(id, { key: 'k' })))
    await clock.advance(0)
    expect(member.ids()).toEqual(['1', '3', '5'])
    member.grant(1)
    await clock.advance(0)
    expect(await engine.lag?.lag('c', 'g')).toEqual({ ready: 3, waiting: 0, inFlight: 3 })
  })

  it('ends a hold of a record that it refuses', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    await engine.publish([record('2', { key: 'k' }), record('3', { key: 'k' })])
    const before = await join(engine, 1)
    await clock.advance(0)
    await before.settle([{ kind: 'release', tag: 1, countsAttempt: true, holdKey: true }])
    await before.stop()
    const member = await join(engine, 1, { filter: odd })
    await clock.advance(0)
    expect(member.ids()).toEqual(['3'])
  })
})
