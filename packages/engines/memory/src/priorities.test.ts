import { describe, expect, it } from 'vitest'
import { declare, join, openEngine, record } from '../test/rig.ts'

async function started(priorities: number) {
  const rig = await openEngine()
  await declare(rig.engine, { keyed: false, priorities })
  return rig
}

describe('priorities', () => {
  it('go first, those of one level in their order, whatever their keys', async () => {
    const { engine, clock } = await started(10)
    const levels = [0, 9, 5, undefined, 9, 0, 5]
    await engine.publish(levels.map((priority, at) => record(String(at), { priority, key: `k${at % 2}` })))
    const member = await join(engine, 2)
    await clock.advance(0)
    await engine.publish([record('7', { priority: 9, key: 'k0' })])
    member.grant(100)
    await clock.advance(0)
    expect(member.ids()).toEqual(['1', '4', '7', '2', '6', '0', '3', '5'])
  })

  it('count as the highest of the channel where they are higher', async () => {
    const { engine, clock } = await started(2)
    await engine.publish([0, 1, 8, 1].map((priority, at) => record(String(at), { priority })))
    const member = await join(engine)
    await clock.advance(0)
    expect(member.ids()).toEqual(['1', '2', '3', '0'])
  })

  it('hold for what is given back and what becomes due', async () => {
    const { engine, clock } = await started(3)
    await engine.publish([record('low'), record('high', { priority: 2 }), record('mid', { priority: 1 })])
    await engine.publish([record('due', { priority: 2, dueAtMs: clock.nowMs() + 10 })])
    const member = await join(engine, 2)
    await clock.advance(0)
    expect(member.ids()).toEqual(['high', 'mid'])
    await member.settle([2, 1].map((tag) => ({ kind: 'release', tag, countsAttempt: true })))
    await clock.advance(10)
    member.grant(10)
    await clock.advance(0)
    expect(member.ids().slice(2)).toEqual(['high', 'due', 'mid', 'low'])
  })
})
