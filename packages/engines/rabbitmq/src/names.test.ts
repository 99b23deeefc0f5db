import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { Names } from './names.ts'

const channels = fc.stringMatching(/^[A-Za-z0-9._-]{1,240}$/)
const groups = fc.stringMatching(/^[A-Za-z0-9._-]{1,64}$/)

describe('names on the server', () => {
  it('are those of the contract where nothing is in the way', () => {
    const names = new Names('')
    expect(names.exchange('shop.order.created')).toBe('shop.order.created')
    expect(names.queue('shop.order.created', 'points')).toBe('shop.order.created@points')
    expect(names.queue('shop.stock.deduct', undefined)).toBe('shop.stock.deduct')
    expect(names.range('a@b', 3)).toBe('a@b#3')
    expect(names.control('a@b', 3)).toBe('a@b#3.notes')
  })

  it('begin with the prefix', () => {
    expect(new Names('test.').exchange('a')).toBe('test.a')
  })

  it('fit into the 255 bytes of the protocol, however long channel and group are', () => {
    const names = new Names('p'.repeat(60))
    fc.assert(
      fc.property(channels, groups, (channel, group) => {
        expect(names.control(names.queue(channel, group), 255).length).toBeLessThanOrEqual(255)
        expect(names.members(names.queue(channel, group)).length).toBeLessThanOrEqual(255)
        expect(names.settings(channel).length).toBeLessThanOrEqual(60)
      }),
    )
  })

  it('stay apart for channels and groups that differ', () => {
    const names = new Names('')
    fc.assert(
      fc.property(fc.tuple(channels, groups), fc.tuple(channels, groups), (one, other) => {
        fc.pre(one[0] !== other[0] || one[1] !== other[1])
        expect(names.queue(...one)).not.toBe(names.queue(...other))
      }),
    )
    const long = 'x'.repeat(239)
    expect(names.exchange(`${long}a`)).not.toBe(names.exchange(`${long}b`))
  })

  it('are one word each on the delay ladder', () => {
    const names = new Names('a.b.')
    expect(names.channelWord('c.d')).toMatch(/^c[0-9a-f]{24}$/)
    expect(names.queueWord('c.d@e')).toMatch(/^q[0-9a-f]{24}$/)
  })
})
