import type { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { recordOf } from '../../../test/bus/rig.ts'
import { type CompiledFilter, readFilter, type SubscriptionFilter } from './filter.ts'

const compiled = (filter: SubscriptionFilter): CompiledFilter => readFilter('on', filter)!
const holds = (filter: SubscriptionFilter, headers: Record<string, string>, more = {}) =>
  compiled(filter).matches(recordOf({ headers, ...more }))

describe('a filter', () => {
  it('by tag takes messages with one of the tags', () => {
    expect(holds({ tag: 'vip' }, { tag: 'vip' })).toBe(true)
    expect(holds({ tag: ['vip', 'staff'] }, { tag: 'staff' })).toBe(true)
    expect(holds({ tag: ['vip', 'staff'] }, { tag: 'VIP' })).toBe(false)
    expect(holds({ tag: 'vip' }, {})).toBe(false)
  })

  it('by headers takes messages that have all of them, or any', () => {
    const values = { region: 'eu', tier: '1' }
    expect(holds({ headers: { all: values } }, { region: 'eu', tier: '1', more: 'x' })).toBe(true)
    expect(holds({ headers: { all: values } }, { region: 'eu' })).toBe(false)
    expect(holds({ headers: { any: values } }, { tier: '1' })).toBe(true)
    expect(holds({ headers: { any: values } }, { region: 'us', tier: '2' })).toBe(false)
    expect(holds({ headers: { all: { constructor: 'x' } } }, {})).toBe(false)
  })

  it('by expression sees every attribute of the event', () => {
    const more = { id: 'm7', key: 'k1', priority: 3, dueAtMs: 0, expiresAtMs: 1_000 }
    const sql = [
      "id = 'm7' AND partitionkey = 'k1' AND priority > 2 AND specversion = '1.0' AND type = 'shop.noted'",
      "deliverytime = '1970-01-01T00:00:00.000Z' AND expirytime LIKE '%:01.000Z' AND tenant = 'a'",
    ].join(' AND ')
    expect(holds({ sql }, { tenant: 'a' }, more)).toBe(true)
    expect(holds({ sql: 'EXISTS partitionkey OR EXISTS priority OR EXISTS deliverytime' }, {})).toBe(false)
    expect(holds({ sql: 'EXISTS constructor' }, {})).toBe(false)
  })

  it('has no value, and says why, where the expression has none', () => {
    expect(holds({ sql: "tenant = 'a'" }, {})).toMatchObject({ kind: 'missing-attribute' })
  })

  it('of several kinds takes what all of them take', () => {
    const filter = { tag: 'vip', headers: { any: { region: 'eu' } }, sql: 'n > 1' }
    expect(holds(filter, { tag: 'vip', region: 'eu', n: '2' })).toBe(true)
    expect(holds(filter, { tag: 'vip', region: 'eu', n: '1' })).toBe(false)
    expect(holds(filter, { tag: 'vip', n: '2' })).toBe(false)
    // The expression is not asked for what the others refuse.
    expect(holds(filter, { region: 'eu' })).toBe(false)
  })

  it('tells engines what it is made of', () => {
    expect(compiled({ tag: 'vip', headers: { any: { region: 'eu' } }, sql: 'TRUE' })).toMatchObject({
      tags: ['vip'],
      headers: { match: 'any', values: { region: 'eu' } },
      sql: 'TRUE',
    })
    expect(readFilter('on', undefined)).toBeUndefined()
  })

  it('is refused with every mistake at once', () => {
    const wrong = { tag: [], headers: { all: {}, any: {} }, sql: 'a =', colour: 'red' }
    try {
      readFilter('on', wrong)
      expect.unreachable()
    } catch (thrown) {
      expect((thrown as PosthasteError).issues.map(({ path }) => path)).toEqual([
        'on.filter.colour',
        'on.filter.tag',
        'on.filter.headers',
        'on.filter.sql',
      ])
      expect((thrown as PosthasteError).message).toContain('at character 4: expected a value, not the end')
    }
  })

  it.each([
    ['nothing', {}],
    ['no object', 'vip'],
    ['an array', []],
    ['a tag that is no text', { tag: 7 }],
    ['too many tags', { tag: Array.from({ length: 101 }, () => 'x') }],
    ['headers without all or any', { headers: { region: 'eu' } }],
    ['headers in capitals', { headers: { all: { Region: 'eu' } } }],
    ['a field of the record among the headers', { headers: { all: { partitionkey: 'k1' } } }],
    ['headers that are no text', { headers: { any: { n: 1 } } }],
    ['an expression that is no text', { sql: 1 }],
    ['an expression that is too long', { sql: `'${'x'.repeat(4_095)}' = a` }],
    ['an expression that is no condition', { sql: '1 + 1' }],
    ['an attribute by itself', { sql: 'mybool' }],
  ])('that is %s is refused', (_, filter) => {
    expect(() => readFilter('on', filter)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
  })
})
