import { type EngineCapabilities, event, type MessageContract, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { fullCapabilities, Noted, Ordered, ScriptedEngine } from '../../test/bus/rig.ts'
import { memoryInbox } from './consuming/memory-inbox.ts'
import { readSubscribeOptions, type SubscribeOptions } from './consuming/options.ts'
import { checkRequirements } from './requirements.ts'

function missing(
  contract: MessageContract,
  options: Partial<SubscribeOptions>,
  can: Partial<EngineCapabilities>,
): string[] {
  const settings = readSubscribeOptions('on', { group: 'points', ...options })
  try {
    checkRequirements([{ contract, settings }], new ScriptedEngine({ ...fullCapabilities, ...can }, () => 0))
    return []
  } catch (error) {
    expect(PosthasteError.is(error, 'CAPABILITY_UNSUPPORTED')).toBe(true)
    return (error as PosthasteError).issues.map(({ message }) => message)
  }
}

const Kept = event('shop.kept', { data: z.any(), retention: { forMs: 1_000 } })

describe('checkRequirements', () => {
  it('asks nothing more of an engine that can do everything', () => {
    for (const contract of [Noted, Ordered, Kept]) {
      expect(missing(contract, { breaker: {}, from: 'earliest', prefetch: 100_000, timeoutMs: 1 }, {})).toEqual([])
    }
  })

  it.each<[string, { of: MessageContract; on?: Partial<SubscribeOptions>; can: Partial<EngineCapabilities> }]>([
    ['keyOrder', { of: Ordered, on: { retry: false }, can: { keyOrder: 'none' } }],
    ['delay', { of: Noted, on: {}, can: { delay: 'none' } }],
    ['holdKey', { of: Ordered, on: {}, can: { holdKey: 'none' } }],
    ['breaker', { of: Noted, on: { retry: false, breaker: {} }, can: { delay: 'none' } }],
    ['a stack of its own', { of: Ordered, on: { retry: false, stack: (editor) => editor }, can: { holdKey: 'none' } }],
    ['attempts', { of: Noted, on: {}, can: { attempts: 'hand-overs' } }],
    ['attempts', { of: Noted, on: {}, can: { attempts: 'none' } }],
    ['earliest', { of: Noted, on: { from: 'earliest' }, can: { history: 'none' } }],
    ['retention', { of: Kept, on: {}, can: { history: 'none' } }],
    ['prefetch', { of: Noted, on: { prefetch: 51 }, can: { unsettledMax: 50 } }],
    ['exactly once', { of: Noted, on: { delivery: 'exactly-once' }, can: { atomicSettle: 'none' } }],
    ['delay', { of: Noted, on: { retry: false, errors: [{ when: 'CONFLICT', retry: {} }] }, can: { delay: 'none' } }],
    ['2000 ms', { of: Noted, on: { timeoutMs: 2_000 }, can: { unsettledMsMax: 1_000 } }],
  ])('refuses what needs %s where that is missing (%#)', (word, { of, on = {}, can }) => {
    const messages = missing(of, on, can)
    expect(messages).toHaveLength(1)
    expect(messages[0]).toContain(word)
  })

  it('lets do without what is not used', () => {
    expect(missing(Noted, {}, { keyOrder: 'none', holdKey: 'none', history: 'none', unsettledMax: 10 })).toEqual([])
    expect(missing(Ordered, { retry: false }, { delay: 'none', holdKey: 'none' })).toEqual([])
    expect(missing(Ordered, { retry: { delayed: 0 } }, { delay: 'none', holdKey: 'none' })).toEqual([])
  })

  it('needs no atomic settling for exactly-once where an inbox remembers', () => {
    const inbox = { store: memoryInbox() }
    expect(missing(Noted, { delivery: 'exactly-once', inbox }, { atomicSettle: 'none' })).toEqual([])
  })

  it('names everything at once', () => {
    expect(missing(Ordered, {}, { keyOrder: 'none', delay: 'none', holdKey: 'none', attempts: 'none' })).toHaveLength(4)
  })

  it('says how an engine with key ranges is used', () => {
    const settings = readSubscribeOptions('on', { group: 'points' })
    const engine = new ScriptedEngine({ ...fullCapabilities, keyOrder: 'partitions', attempts: 'none' }, () => 0)
    expect(() => checkRequirements([{ contract: Noted, settings }], engine)).toThrow(
      expect.objectContaining({ remedy: 'Give the bus complete(engine).' }),
    )
  })
})
