import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { covers, matches, Permissions } from './rights.ts'

describe('a pattern', () => {
  it.each([
    ['shop.order.created', 'shop.order.created', true],
    ['shop.order.*', 'shop.order.created', true],
    ['shop.*.created', 'shop.order.created', true],
    ['shop.*', 'shop.order.created', false],
    ['shop.**', 'shop.order.created', true],
    ['shop.**', 'shop', false],
    ['shop.**', 'shops.order', false],
    ['**', 'anything.at.all', true],
    ['shop.order', 'shop.order.created', false],
  ])('%s and %s', (pattern, name, fits) => {
    expect(matches(pattern, name)).toBe(fits)
  })

  it('covers another where all that the other matches is matched by it', () => {
    const word = fc.constantFrom('a', 'b', '*')
    const patterns = fc
      .tuple(fc.array(word, { minLength: 1, maxLength: 3 }), fc.boolean())
      .map(([words, open]) => [...words, ...(open ? ['**'] : [])].join('.'))
    const names = fc
      .array(fc.constantFrom('a', 'b', 'c'), { minLength: 1, maxLength: 5 })
      .map((words) => words.join('.'))
    fc.assert(
      fc.property(patterns, patterns, names, (wider, pattern, name) => {
        if (covers(wider, pattern) && matches(pattern, name)) expect(matches(wider, name)).toBe(true)
      }),
      { numRuns: 2_000 },
    )
    expect(covers('shop.**', 'shop.order.*')).toBe(true)
    expect(covers('shop.*', 'shop.**')).toBe(false)
    expect(covers('**', '**')).toBe(true)
  })
})

describe('rights', () => {
  const may = new Permissions({ publish: ['shop.order.*'], consume: ['shop.stock.**'], manage: ['shop.admin'] })

  it('are those of the patterns, and no others', () => {
    expect(may.may('publish', 'shop.order.created')).toBe(true)
    expect(may.may('publish', 'shop.stock.deduct')).toBe(false)
    expect(may.may('consume', 'shop.stock.deduct')).toBe(true)
    expect(may.may('manage', 'shop.stock.deduct')).toBe(false)
    // The second time from memory.
    expect(may.may('publish', 'shop.stock.deduct')).toBe(false)
  })

  it('of consumers are to put dead letters aside, and not to look at those of others', () => {
    const dead = 'posthaste.dead.points.shop.stock.deduct'
    expect(may.may('publish', dead)).toBe(true)
    expect(may.mayMake(dead)).toBe(true)
    expect(may.may('manage', dead)).toBe(false)
    expect(may.may('consume', dead)).toBe(false)
    const reader = new Permissions({ publish: [], consume: ['posthaste.dead.points.shop.**'], manage: [] })
    expect(reader.may('consume', dead)).toBe(true)
    expect(reader.may('consume', 'shop.stock.deduct')).toBe(false)
    expect(may.may('publish', 'posthaste.dead.points.shop.order.created')).toBe(false)
    expect(may.may('publish', 'posthaste.deadto.fraud.points.shop.stock.deduct')).toBe(true)
    expect(may.may('manage', 'posthaste.dead.points.shop.admin')).toBe(true)
  })

  it('of managers are to give dead letters back where they came from, and not to publish anywhere else', () => {
    const manager = new Permissions({ publish: ['shop.out'], consume: [], manage: ['shop.order.*'] })
    const dead = 'posthaste.dead.points.shop.order.created'
    expect(manager.mayReturn(dead, 'shop.order.created')).toBe(true)
    expect(manager.mayReturn(dead, 'shop.out')).toBe(true)
    expect(manager.mayReturn('shop.order.created', 'shop.order.paid')).toBe(true)
    expect(manager.mayReturn(dead, 'shop.stock.deduct')).toBe(false)
    expect(manager.mayReturn('shop.order.created', 'shop.stock.deduct')).toBe(false)
  })

  it('of everybody are to answer, and not to read the answers of others', () => {
    expect(may.may('publish', 'posthaste.reply.orders')).toBe(true)
    expect(may.may('consume', 'posthaste.reply.orders')).toBe(false)
    expect(may.mayMake('posthaste.reply.orders')).toBe(false)
  })

  it('to make channels are those to manage them', () => {
    expect(may.mayMake('shop.admin')).toBe(true)
    expect(may.mayMake('shop.order.created')).toBe(false)
    expect(may.managesAll).toBe(false)
    expect(may.mayFollow('shop.stock.*')).toBe(true)
    expect(may.mayFollow('shop.**')).toBe(false)
  })
})
