import { describe, expect, it } from 'vitest'
import { checkOptions, type RedisStoreOptions } from './options.ts'

const check = (options: unknown) => checkOptions('redisRateLimits', options as RedisStoreOptions)

describe('the options of a store', () => {
  it('have defaults', () => {
    expect(check({ url: 'redis://localhost' })).toEqual({
      ...{ host: 'localhost', port: 6_379, db: 0, username: undefined, password: undefined, tls: undefined },
      ...{ prefix: 'posthaste', timeoutMs: 1_000 },
    })
  })

  it('are read from the url, and those beside it stand over those in it', () => {
    expect(check({ url: 'rediss://u:p%40@[::1]:7000/2' })).toMatchObject({
      ...{ host: '::1', port: 7_000, db: 2, username: 'u', password: 'p@', tls: {} },
    })
    expect(check({ url: 'redis://u:p@h', username: 'v', password: 'q' })).toMatchObject({
      username: 'v',
      password: 'q',
    })
  })

  it('are refused with every mistake at once, and without the password', () => {
    const wrong = { url: 'http://u:secret@h', prefix: 'a b', timeoutMs: 1, username: 5, tls: { cert: 'x' }, x: 1 }
    const issues = ['x', 'url', 'timeoutMs', 'prefix', 'username', 'tls'].map((path) =>
      expect.objectContaining({ path }),
    )
    expect(() => check(wrong)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', issues }))
    expect(() => check(wrong)).not.toThrow(/secret/)
    for (const url of [undefined, '', 'redis://', 'redis://h/x', 'redis://h%ZZ'])
      expect(() => check({ url })).toThrow('url')
  })
})
