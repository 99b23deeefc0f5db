import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { ConnectionError, hasCode, isTransient, KafkaError, mapped } from './errors.ts'

describe('failures of the Kafka engine', () => {
  it('say what the server said, with its error as their cause', () => {
    const cause = new KafkaError(29, 'topic t', 'Topic authorization failed.')
    const error = mapped(cause, 'publish')
    expect(error).toMatchObject({ code: 'PERMISSION_DENIED', cause })
    expect(error.message).toContain('TOPIC_AUTHORIZATION_FAILED: Topic authorization failed.')
  })

  it('have the code that says what to do', () => {
    expect(mapped(new KafkaError(10, 't'), 'x').code).toBe('BODY_TOO_LARGE')
    expect(mapped(new KafkaError(3, 't'), 'x').code).toBe('NOT_FOUND')
    expect(mapped(new KafkaError(40, 't'), 'x').code).toBe('CONFIG_INVALID')
    expect(mapped(new KafkaError(19, 't'), 'x').code).toBe('UNAVAILABLE')
    expect(mapped(new ConnectionError('gone'), 'x')).toMatchObject({ code: 'UNAVAILABLE', verdict: 'retryable' })
    expect(mapped(Object.assign(new Error('no'), { code: 'PLT_KFK_AUTHENTICATION' }), 'x').code).toBe('UNAUTHENTICATED')
  })

  it('say nothing twice, and what to do about a certificate', () => {
    const root = Object.assign(new Error('self-signed certificate'), { code: 'DEPTH_ZERO_SELF_SIGNED_CERT' })
    const client = new Error('Connection to h:1 failed.', { cause: root })
    const error = mapped(new ConnectionError(client.message, { cause: client }), 'opening')
    expect(error.message).toBe('[UNAVAILABLE] opening: Connection to h:1 failed: self-signed certificate')
    expect(error.remedy).toContain('tls.ca')
  })

  it('stay as they are where they are ours', () => {
    const ours = new PosthasteError('CONFLICT', 'x')
    expect(mapped(ours, 'y')).toBe(ours)
    expect(isTransient(ours)).toBe(false)
  })

  it('are worth another try where the server says so, or there is none', () => {
    expect(isTransient(new ConnectionError('gone'))).toBe(true)
    expect(isTransient(new KafkaError(6, 'moved'))).toBe(true)
    expect(isTransient(new KafkaError(10, 'too large'))).toBe(false)
    expect(isTransient(new AggregateError([new KafkaError(6, 'moved'), new KafkaError(10, 'too large')]))).toBe(false)
    expect(isTransient(new TypeError('a mistake of ours'))).toBe(false)
  })

  it('are found deep within', () => {
    const error = new Error('outer', { cause: new AggregateError([{ apiCode: 25 }]) })
    expect(hasCode(error, 25)).toBe(true)
    expect(hasCode(error, 24)).toBe(false)
  })
})
