import { describe, expect, it } from 'vitest'
import { declare, openEngine } from '../test/rig.ts'

describe('declare', () => {
  it('names every contradiction of a topology at once, and makes nothing of it', async () => {
    const { engine } = await openEngine()
    const topology = {
      channels: [
        { name: 'fine', kind: 'log', keyed: false },
        { name: 'no spaces', kind: 'log', keyed: false },
        { name: 'queue', kind: 'queue', keyed: false, retention: { forMs: 1 } },
        { name: 'long', kind: 'log', keyed: true, deduplicateForMs: 86_400_001 },
        { name: 'short', kind: 'log', keyed: true, deduplicateForMs: 0.5 },
        { name: 'high', kind: 'log', keyed: false, priorities: 11 },
        { name: 'both', kind: 'log', keyed: true, priorities: 2 },
      ],
      groups: [
        { channel: 'fine', group: 'x'.repeat(65), from: 'next' },
        { channel: 'nowhere', group: 'g', from: 'next' },
      ],
    } as const
    await expect(engine.declare(topology)).rejects.toMatchObject({
      code: 'CONFIG_INVALID',
      issues: [
        { path: 'channels.1.name' },
        { path: 'channels.2.retention' },
        { path: 'channels.3.deduplicateForMs' },
        { path: 'channels.4.deduplicateForMs' },
        { path: 'channels.5.priorities' },
        { path: 'channels.6.priorities' },
        { path: 'groups.0.group' },
        { path: 'groups.1.channel' },
      ],
    })
    const { created } = await engine.declare({ channels: [topology.channels[0]], groups: [] })
    expect(created).toEqual(['fine'])
  })

  it('calls what it made by channel, and by channel and group', async () => {
    const { engine } = await openEngine()
    const report = await engine.declare({
      channels: [{ name: 'c', kind: 'log', keyed: true }],
      groups: [{ channel: 'c', group: 'g', from: 'next' }],
    })
    expect(report).toEqual({ created: ['c', 'c@g'], drift: [] })
  })

  it('names each setting that differs with both values', async () => {
    const { engine } = await openEngine()
    await declare(engine, { retention: { forMs: 5 } })
    const { drift } = await engine.declare({
      channels: [{ name: 'c', kind: 'queue', keyed: false, priorities: 3, deduplicateForMs: 9 }],
      groups: [],
    })
    expect(drift).toEqual([
      { name: 'c', setting: 'kind', wanted: 'queue', found: 'log' },
      { name: 'c', setting: 'keyed', wanted: 'false', found: 'true' },
      { name: 'c', setting: 'retention.forMs', wanted: 'none', found: '5' },
      { name: 'c', setting: 'priorities', wanted: '3', found: '1' },
      { name: 'c', setting: 'deduplicateForMs', wanted: '9', found: 'none' },
    ])
  })

  it('makes no group in a channel that is not as it was asked for', async () => {
    const { engine } = await openEngine()
    await declare(engine)
    const report = await engine.declare({
      channels: [{ name: 'c', kind: 'queue', keyed: true }],
      groups: [{ channel: 'c', group: 'handler', from: 'earliest' }],
    })
    expect(report.created).toEqual([])
    const joining = engine.subscribe(
      { channel: 'c', group: 'handler', member: 'm' },
      { deliver() {}, lost() {}, closed() {} },
    )
    await expect(joining).rejects.toMatchObject({ code: 'NOT_FOUND' })
  })

  it('reports a second group of a queue as drift', async () => {
    const { engine } = await openEngine()
    await declare(engine, { kind: 'queue' })
    const report = await engine.declare({ channels: [], groups: [{ channel: 'c', group: 'other', from: 'next' }] })
    expect(report).toEqual({ created: [], drift: [{ name: 'c', setting: 'group', wanted: 'other', found: 'g' }] })
  })
})
