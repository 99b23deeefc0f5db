import { describe, expect, it } from 'vitest'
import { scrubOf } from './secrets.ts'

describe('secrets', () => {
  it.each([
    ['amqp://me:geheim@host', 'refused amqp://me:geheim@host/x', 'refused amqp://me:***@host/x'],
    [
      'amqp://me:ge%40heim@host',
      'the password ge@heim is wrong, as is ge%40heim',
      'the password *** is wrong, as is ***',
    ],
    ['nats://tokentoken@host', 'token tokentoken was refused', 'token *** was refused'],
    ['kafka://me:first1@a,you:second2@b', 'first1 and second2', '*** and ***'],
  ])('of %s are hidden', (url, text, clean) => {
    expect(scrubOf(url)(text)).toBe(clean)
  })

  it('that were given beside a URL are hidden, too, and a password within one that nobody has named', () => {
    expect(scrubOf(undefined, ['abcdef', undefined])('abcdef at redis://:hidden@host')).toBe('*** at redis://:***@host')
  })

  it('leave a text as it is that has none, or of which they are no more than a syllable', () => {
    expect(scrubOf('redis://host')('connecting to host:6379')).toBe('connecting to host:6379')
    expect(scrubOf('redis://a:he@x')('the engine')).toBe('the engine')
    expect(scrubOf('amqp://%zz:%zz%zz@host')('%zz%zz')).toBe('***')
  })
})
