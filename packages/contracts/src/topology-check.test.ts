import { describe, expect, it } from 'vitest'
import type { EngineCapabilities } from './capabilities.ts'
import type { ChannelSpec, GroupSpec } from './topology.ts'
import { channelDrift, checkPattern, checkTopology, lifetimeDrift, patternMatcher } from './topology-check.ts'

const capabilities = {
  keyOrder: 'engine',
  priorityLevels: 10,
  deduplicateForMsMax: 30 * 86_400_000,
} as EngineCapabilities

const channel = (wish: Partial<ChannelSpec> = {}): ChannelSpec => ({ name: 'c', kind: 'log', keyed: false, ...wish })
const group = (wish: Partial<GroupSpec> = {}): GroupSpec => ({ channel: 'c', group: 'g', from: 'next', ...wish })

function pathsRefused(channels: readonly ChannelSpec[], groups: readonly GroupSpec[] = []): readonly string[] {
  try {
    checkTopology({ channels, groups }, { capabilities, kindOf: (name) => (name === 'there' ? 'queue' : undefined) })
    return []
  } catch (error) {
    return (error as { readonly issues: readonly { readonly path: string }[] }).issues.map(({ path }) => path)
  }
}

describe('a topology', () => {
  it('is refused with every mistake that it has', () => {
    const channels = [
      channel({ name: 'a b' }),
      channel({ kind: 'queue', retention: { forMs: 1 } }),
      channel({ priorities: 11 }),
      channel({ priorities: 0.5 }),
      channel({ priorities: 2, keyed: true }),
      channel({ deduplicateForMs: 0 }),
      channel({ deduplicateForMs: 31 * 86_400_000 }),
    ]
    const settings = ['name', 'retention', 'priorities', 'priorities', 'priorities']
    expect(pathsRefused(channels)).toEqual(
      [...settings, 'deduplicateForMs', 'deduplicateForMs'].map((setting, at) => `channels.${at}.${setting}`),
    )
    const groups = [
      group({ group: '' }),
      group({ channel: 'nowhere' }),
      group({ channel: 'there', lifetime: 'temporary' }),
      group({ channel: 'there' }),
    ]
    expect(pathsRefused([channel()], groups)).toEqual(['groups.0.group', 'groups.1.channel', 'groups.2.lifetime'])
  })

  it('is taken with all that an engine can do', () => {
    const all = channel({ priorities: 10, deduplicateForMs: 30 * 86_400_000, retention: { forMs: 1, bytesMax: 1 } })
    expect(pathsRefused([all], [group({ lifetime: 'temporary' })])).toEqual([])
  })

  it('drifts where a setting is another, and not where it is as if it were not given', () => {
    const found = channel({ deduplicateForMs: 5 })
    expect(channelDrift(found, channel({ deduplicateForMs: 5, priorities: 1 }))).toEqual([])
    expect(channelDrift(found, channel({ priorities: 2 }))).toEqual([
      { name: 'c', setting: 'priorities', wanted: '2', found: '1' },
      { name: 'c', setting: 'deduplicateForMs', wanted: 'none', found: '5' },
    ])
    expect(lifetimeDrift(undefined, group({ lifetime: 'durable' }))).toEqual([])
    expect(lifetimeDrift('temporary', group())).toMatchObject([{ wanted: 'durable', found: 'temporary' }])
  })
})

describe('a pattern', () => {
  it.each([
    ['shop.order.*', ['shop.order.created'], ['shop.order', 'shop.order.line.added', 'shopXorder.created']],
    ['shop.**', ['shop.order', 'shop.order.created'], ['shop', 'shops.order']],
    ['*', ['shop'], ['shop.order', 'posthaste.dead.g.c']],
    ['**', ['shop', 'shop.order'], ['posthaste.reply.shop']],
    ['shop.order', ['shop.order'], ['shop.orders']],
  ])('%s matches names word by word, and none of those that are internal', (pattern, matching, others) => {
    const isOf = patternMatcher(pattern)
    expect([...matching, ...others].filter((name) => isOf(channel({ name })))).toEqual(matching)
    expect(matching.filter((name) => isOf(channel({ name, kind: 'queue' })))).toEqual([])
  })

  it('is refused with every mistake that it has', () => {
    for (const pattern of ['', 'a..b', 'a.**.b', 'a.b*', 'x'.repeat(241)]) {
      expect(() => checkPattern({ pattern, group: 'a b' })).toThrowError(
        expect.objectContaining({
          code: 'CONFIG_INVALID',
          issues: [expect.objectContaining({ path: 'pattern' }), expect.objectContaining({ path: 'group' })],
        }),
      )
    }
    expect(() => checkPattern({ pattern: 'a.*.b.**' })).not.toThrow()
  })
})
