import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { rabbitmq } from './engine.ts'
import { checkOptions, type RabbitmqOptions } from './options.ts'

const url = 'amqp://user:secret@localhost/vhost'

function mistakes(options: unknown): readonly string[] {
  try {
    checkOptions(options as RabbitmqOptions)
    return []
  } catch (error) {
    expect(PosthasteError.is(error, 'CONFIG_INVALID')).toBe(true)
    return (error as PosthasteError).issues.map(({ path }) => path)
  }
}

describe('options', () => {
  it('have defaults for all but the url', () => {
    const { prefix, keyRanges, timeoutMs, hosts } = checkOptions({ url })
    expect({ prefix, keyRanges, timeoutMs, hosts }).toEqual({ prefix: '', keyRanges: 8, timeoutMs: 30_000, hosts: [] })
  })

  it('are refused all at once', () => {
    const options = { url: 'http://x', keyRanges: 0, timeoutMs: 1.5, prefix: 'a b', speed: 'fast', hosts: ['x'] }
    expect(mistakes(options)).toEqual(
      expect.arrayContaining(['url', 'keyRanges', 'timeoutMs', 'prefix', 'speed', 'hosts']),
    )
  })

  it('are refused where they are no object, or have no url', () => {
    expect(mistakes(undefined)).toEqual([''])
    expect(mistakes({})).toEqual(['url'])
    expect(mistakes({ url: 'amqp://me:%zz@localhost' })).toEqual(['url'])
  })

  it('need certificate and key together', () => {
    expect(mistakes({ url, tls: { cert: 'x' } })).toEqual(['tls'])
    expect(mistakes({ url, tls: { ca: 1, secret: 'x' } })).toEqual(['tls.ca', 'tls.secret'])
    expect(mistakes({ url, tls: { cert: 'x', key: 'y' } })).toEqual([])
  })

  it('map channels onto exchanges of each type', () => {
    const exchanges = { a: { exchange: 'x', type: 'topic', bindingKey: 'a.*' }, b: { exchange: 'y', type: 'fanout' } }
    expect(mistakes({ url, exchanges })).toEqual([])
    const wrong = {
      a: { exchange: '', type: 'queue' },
      b: { exchange: 'y', type: 'headers' },
      c: { exchange: 'z', type: 'topic', headers: {}, match: 'some', more: 1 },
    }
    expect(mistakes({ url, exchanges: wrong })).toEqual([
      'exchanges.a.exchange',
      'exchanges.a.type',
      'exchanges.b.headers',
      'exchanges.c.more',
      'exchanges.c.headers',
      'exchanges.c.match',
    ])
  })

  it('never say the password', () => {
    try {
      checkOptions({ url: 'amqp://user:secret@', keyRanges: 0 })
      expect.unreachable()
    } catch (error) {
      expect(String(error)).not.toContain('secret')
    }
  })

  it('are checked when the engine is made', () => {
    expect(() => rabbitmq({ url: 'nowhere' })).toThrow(/CONFIG_INVALID/)
  })
})

describe('an engine that is not open', () => {
  it('answers everything with ENGINE_CLOSED, and can be closed', async () => {
    const engine = rabbitmq({ url })
    await expect(engine.publish([])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await expect(engine.declare({ channels: [], groups: [] })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await engine.close()
    await engine.close()
  })
})
