import type { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { Ordered, scriptedRig } from '../../../test/bus/rig.ts'
import { readHandlerOptions, readSubscribeOptions } from './options.ts'

const issuesOf = (read: () => unknown): string[] => {
  try {
    read()
    return []
  } catch (thrown) {
    return (thrown as PosthasteError).issues.map(({ path }) => path).sort()
  }
}

describe('options of handlers', () => {
  it('have defaults', () => {
    expect(readSubscribeOptions('on', { group: 'g' })).toEqual({
      group: 'g',
      from: 'next',
      lifetime: 'durable',
      broadcast: false,
      concurrency: 16,
      prefetch: 256,
      prefetchGiven: false,
      ladder: { immediate: 2, delayed: 5, baseMs: 500, maxMs: 600_000 },
      errors: [],
      timeoutMs: undefined,
      policies: {
        rateLimit: undefined,
        concurrencyLimit: undefined,
        bulkhead: undefined,
        breaker: undefined,
        chaos: undefined,
      },
      stack: undefined,
      delivery: 'at-least-once',
      inbox: undefined,
      filter: undefined,
      expired: 'dead-letter',
      batch: undefined,
    })
    expect(readHandlerOptions('handle', {})).toMatchObject({ group: 'handler', from: 'earliest', lifetime: 'durable' })
  })

  it('prefetch for each handler, and never more than may be asked for', () => {
    expect(readSubscribeOptions('on', { group: 'g', concurrency: 100 }).prefetch).toBe(800)
    const batch = { max: 1_000 }
    expect(readSubscribeOptions('on', { group: 'g', concurrency: 1_000, batch }, 'batch').prefetch).toBe(100_000)
  })

  it('make a broadcast’s groups temporary, and refuse it any other', () => {
    expect(readSubscribeOptions('on', { group: 'g', broadcast: true }).lifetime).toBe('temporary')
    expect(readSubscribeOptions('on', { group: 'g', lifetime: 'temporary' }).broadcast).toBe(false)
    const given = { group: 'g', broadcast: true, lifetime: 'durable' }
    expect(issuesOf(() => readSubscribeOptions('on', given))).toEqual(['on.lifetime'])
  })

  it('are refused with every mistake of every part at once', () => {
    const given = {
      group: 'a.b',
      lifetime: 'short',
      broadcast: 'yes',
      delivery: 'twice',
      expired: 'keep',
      errors: [{ when: 'NOPE', action: 'ignore' }],
      filter: { sql: '' },
      inbox: { store: {} },
      retry: { delayed: -1 },
      batch: {},
    }
    expect(issuesOf(() => readSubscribeOptions('on', given))).toEqual([
      'on.batch',
      'on.broadcast',
      'on.delivery',
      'on.errors.0.when',
      'on.expired',
      'on.filter.sql',
      'on.group',
      'on.inbox',
      'on.inbox.store',
      'on.lifetime',
      'on.retry.delayed',
    ])
  })

  it('of commands know no groups', () => {
    const given = { group: 'g', from: 'next', lifetime: 'temporary', broadcast: true }
    expect(issuesOf(() => readHandlerOptions('handle', given))).toEqual([
      'handle.broadcast',
      'handle.from',
      'handle.group',
      'handle.lifetime',
    ])
  })
})

describe('options of batches', () => {
  it.each<[string, object, string]>([
    ['none at a time', { batch: { max: 0 } }, 'batch.max'],
    ['too many', { batch: { max: 1_001 } }, 'batch.max'],
    ['too long a wait', { batch: { waitMs: 60_001 } }, 'batch.waitMs'],
    ['something unknown', { batch: { size: 1 } }, 'batch.size'],
    ['no options', { batch: 7 }, 'batch'],
  ])('are refused: %s', (_, options, path) => {
    const { bus } = scriptedRig()
    expect(() => bus.onBatch(Ordered, { group: 'g', ...options } as never, () => {})).toThrow(
      expect.objectContaining({ issues: [expect.objectContaining({ path: `shop.ordered.${path}` })] }),
    )
  })

  it('are none of a handler of single messages', () => {
    const { bus } = scriptedRig()
    expect(() => bus.on(Ordered, { group: 'g', batch: { max: 2 } } as never, () => {})).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })
})
