import type { Engine, SeekTarget } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { declare, join, openEngine, record } from '../test/rig.ts'

const dayMs = 86_400_000

/** A log whose group has settled the first two of four records, one per millisecond, and left the others. */
async function started() {
  const rig = await openEngine()
  const { engine, clock } = rig
  const startMs = clock.nowMs()
  await declare(engine, { retention: { forMs: dayMs } })
  for (const id of ['1', '2', '3', '4']) {
    await engine.publish([record(id, { key: 'k' })])
    await clock.advance(1)
  }
  const member = await join(engine)
  await clock.advance(0)
  await member.settle([1, 2].map((tag) => ({ kind: 'ack', tag })))
  const position = (at: number) => member.received[at]?.position ?? ''
  const visibleAtMs = clock.nowMs() + 1_000
  await member.settle([{ kind: 'release', tag: 3, countsAttempt: true, visibleAtMs, holdKey: true }])
  await member.stop()
  const seek = (target: SeekTarget) => engine.seeking?.seek('c', 'g', target)
  const idsAfter = async (target: SeekTarget): Promise<readonly string[]> => {
    await seek(target)
    return read(engine, () => clock.advance(0))
  }
  return { ...rig, startMs, position, seek, idsAfter }
}

async function read(engine: Engine, settle: () => Promise<void>): Promise<readonly string[]> {
  const member = await join(engine)
  await settle()
  await member.stop()
  return member.received.map(({ record: { id }, attempt }) => `${id}#${attempt}`)
}

describe('seek', () => {
  it('begins at the target, with nothing of what was before', async () => {
    const { idsAfter, startMs, position } = await started()
    const all = ['1#1', '2#1', '3#1', '4#1']
    expect(await idsAfter({ to: 'earliest' })).toEqual(all)
    expect(await idsAfter({ to: 'next' })).toEqual([])
    expect(await idsAfter({ atMs: startMs + 2 })).toEqual(['3#1', '4#1'])
    expect(await idsAfter({ atMs: startMs - 5 })).toEqual(all)
    expect(await idsAfter({ atMs: startMs + 4 })).toEqual([])
    expect(await idsAfter({ position: position(1) })).toEqual(['2#1', '3#1', '4#1'])
  })

  it('ends waits and holds, and keeps no timer for them', async () => {
    const { engine, clock, seek } = await started()
    await seek({ to: 'earliest' })
    expect(await engine.lag?.lag('c', 'g')).toEqual({ ready: 4, waiting: 0, inFlight: 0 })
    await clock.advance(1_000)
    expect(clock.pending()).toBe(0)
    expect(await engine.lag?.lag('c', 'g')).toEqual({ ready: 4, waiting: 0, inFlight: 0 })
  })

  it('leaves what is addressed to the group and what is due later', async () => {
    const { engine, clock, seek } = await started()
    await engine.publish([record('5', { group: 'g' }), record('6', { dueAtMs: clock.nowMs() + 10 })])
    await seek({ to: 'next' })
    expect(await read(engine, () => clock.advance(10))).toEqual(['5#1', '6#1'])
  })

  it('counts the oldest that is kept for a target that is not kept any more', async () => {
    const { clock, startMs, position, idsAfter } = await started()
    await idsAfter({ to: 'next' })
    await clock.advance(dayMs - 3)
    expect(await idsAfter({ position: position(0) })).toEqual(['3#1', '4#1'])
    expect(await idsAfter({ atMs: startMs })).toEqual(['3#1', '4#1'])
  })

  it('refuses what it cannot do', async () => {
    const { engine, seek } = await started()
    await engine.declare({
      channels: [{ name: 'q', kind: 'queue', keyed: false }],
      groups: [
        { channel: 'q', group: 'g', from: 'next' },
        { channel: 'c', group: 't', from: 'next', lifetime: 'temporary' },
      ],
    })
    const refused = (code: string) => expect.objectContaining({ code })
    await expect(engine.seeking?.seek('c', 'nobody', { to: 'next' })).rejects.toEqual(refused('NOT_FOUND'))
    await expect(engine.seeking?.seek('q', 'g', { to: 'next' })).rejects.toEqual(refused('FAILED_PRECONDITION'))
    await expect(engine.seeking?.seek('c', 't', { to: 'next' })).rejects.toEqual(refused('FAILED_PRECONDITION'))
    await expect(seek({ position: 'nonsense' })).rejects.toEqual(refused('INVALID_ARGUMENT'))
    await expect(seek({ atMs: Number.NaN })).rejects.toEqual(refused('INVALID_ARGUMENT'))
    await join(engine)
    await expect(seek({ to: 'next' })).rejects.toEqual(refused('CONFLICT'))
  })
})
