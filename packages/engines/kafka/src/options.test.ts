import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type KafkaOptions, settingsOf } from './options.ts'

function mistakes(options: object): readonly string[] {
  try {
    settingsOf(options as KafkaOptions)
    return []
  } catch (error) {
    return PosthasteError.is(error, 'CONFIG_INVALID') ? error.issues.map(({ path }) => path) : ['thrown otherwise']
  }
}

describe('options of the Kafka engine', () => {
  it('have defaults that are safe', () => {
    expect(settingsOf({ url: 'kafka://localhost' })).toMatchObject({
      bootstrap: [{ host: 'localhost', port: 9092 }],
      tls: undefined,
      sasl: undefined,
      prefix: '',
      keyRanges: 8,
      timeoutMs: 30_000,
    })
  })

  it('may stand in a url', () => {
    expect(settingsOf({ url: 'kafkas://me:p%40ss@a:9094,b:9095' })).toMatchObject({
      bootstrap: [
        { host: 'a', port: 9094 },
        { host: 'b', port: 9095 },
      ],
      tls: {},
      sasl: { mechanism: 'SCRAM-SHA-512', username: 'me', password: 'p@ss' },
    })
    expect(settingsOf({ brokers: ['[::1]:9092'] }).bootstrap).toEqual([{ host: '::1', port: 9092 }])
  })

  it('are refused all at once', () => {
    const options = { brokers: ['a:b', 'ok:1'], keyRanges: 0, replicas: 0, compression: 'zip', timeout: 3, prefix: 'ä' }
    expect(mistakes(options).toSorted()).toEqual([
      'brokers.0',
      'compression',
      'keyRanges',
      'prefix',
      'replicas',
      'timeout',
    ])
  })

  it('say once where Kafka is', () => {
    expect(mistakes({})).toEqual(['url'])
    expect(mistakes({ url: 'kafka://a', brokers: ['a:1'] })).toEqual(['url'])
    expect(mistakes({ brokers: [] })).toEqual(['brokers'])
    expect(mistakes({ url: 'http://a' })).toEqual(['url'])
  })

  it('are refused where they are of another kind', () => {
    const options = { brokers: 'a:1', tls: 5, topicConfig: 5, prefix: 5, instanceId: 5, sasl: 5 }
    expect(mistakes(options).toSorted()).toEqual(['brokers', 'instanceId', 'prefix', 'sasl', 'tls', 'topicConfig'])
    expect(mistakes({ url: 'kafka://a', topicConfig: { 'retention.ms': 5 } })).toEqual(['topicConfig.retention.ms'])
    expect(mistakes({ brokers: [5] })).toEqual(['brokers.0'])
    expect(mistakes({ url: 'kafka://a', tls: { caa: 'pem', cert: 'pem' } })).toEqual(['tls.caa', 'tls'])
  })

  it.each([undefined, null, 'kafka://a'])('are refused where they are %s', (options) => {
    expect(mistakes(options as unknown as object)).toEqual([''])
  })

  it('have a url that can be decoded', () => {
    expect(mistakes({ url: 'kafkas://me:%zz@a' })).toEqual(['url'])
  })

  it('never show a password in what they say', () => {
    const url = 'kafka://me:secret@'
    const said = (wrong: string) => {
      try {
        return String(settingsOf({ url: wrong }))
      } catch (error) {
        return String(error)
      }
    }
    expect(said(url)).toContain('CONFIG_INVALID')
    expect(said(url)).not.toContain('secret')
    expect(said('kafka://me:secret%zz@a')).not.toContain('secret')
  })

  it('need a name and a password that go together', () => {
    expect(mistakes({ url: 'kafka://a', sasl: { mechanism: 'MD5', username: '', password: 'x' } })).toEqual([
      'sasl.mechanism',
      'sasl.username',
    ])
    const sasl = { username: 'me', password: 'x', user: 'me' }
    expect(mistakes({ url: 'kafka://a', sasl })).toEqual(['sasl.user'])
  })
})
