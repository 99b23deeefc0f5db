import { describe, expect, it } from 'vitest'
import { Names } from './names.ts'

describe('names on the server', () => {
  it('are those of channels and groups', () => {
    const names = new Names('')
    expect(names.topic('shop.order.created')).toBe('shop.order.created')
    expect(names.groupId('shop.order.created', 'points')).toBe('shop.order.created@points')
    expect(new Names('test.').topic('a')).toBe('test.a')
  })

  it('tell any two groups apart', () => {
    const names = new Names('')
    expect(names.groupId('a.b', 'c')).not.toBe(names.groupId('a', 'b.c'))
    expect(names.groupId('a', 'g')).not.toBe(names.groupId('a', 'g', 'token'))
  })

  it('are refused where no topic can have them', () => {
    const names = new Names('p.')
    for (const channel of ['_posthaste-notes', 'x'.repeat(248)])
      expect(() => names.check(channel)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    for (const channel of ['.', '..']) expect(() => new Names('').check(channel)).toThrow('no topic can have this name')
    expect(() => names.check('x'.repeat(247))).not.toThrow()
  })
})
