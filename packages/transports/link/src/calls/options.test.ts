import { PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { link } from './link.ts'
import { linkClient } from './link-client.ts'
import { authenticateBy } from './tokens.ts'

/** Where the mistakes are that options are refused for. */
function mistakesOf(make: () => unknown): readonly string[] {
  try {
    make()
  } catch (error) {
    if (PosthasteError.is(error, 'CONFIG_INVALID')) return error.issues.map(({ path }) => path).sort()
    throw error
  }
  return []
}

describe('the options of link', () => {
  it('are refused all at once, and no secret is told', () => {
    const options = { codecs: 'x', tokens: { ann: 'short', bob: ['same-secret', 'same-secret'] }, authorize: true }
    const more = { port: -1, streamsMax: 0, unknown: 1 }
    const paths = ['authorize', 'codecs', 'port', 'streamsMax', 'tokens.ann', 'tokens.bob', 'unknown']
    expect(mistakesOf(() => link({ ...options, ...more } as never))).toEqual(paths)
    expect(() => link({ tokens: { ann: 'short' } })).not.toThrow('short')
  })

  it('take tokens or a function that authenticates, and not both', () => {
    const authenticate = () => ({ user: 'ann' })
    expect(mistakesOf(() => link({ tokens: { ann: 'secret-of-ann' }, authenticate }))).toEqual(['tokens'])
    expect(mistakesOf(() => link({ authenticate }))).toEqual([])
  })
})

describe('the options of a client of link', () => {
  it('are refused', () => {
    const options = { url: 'http://localhost', codecs: [{}], waitingMax: -1 }
    expect(mistakesOf(() => linkClient(options as never))).toEqual(['codecs.0', 'url', 'waitingMax'])
    expect(mistakesOf(() => linkClient('localhost'))).toEqual(['url'])
  })
})

describe('tokens', () => {
  const authenticate = authenticateBy({ ann: 'secret-of-ann', bob: ['old-secret', 'new-secret'] })
  const nowhere = { certificate: undefined, address: '' }

  it('say who shows them', () => {
    expect(authenticate({ ...nowhere, token: 'secret-of-ann' })).toEqual({ user: 'ann' })
    expect(authenticate({ ...nowhere, token: 'old-secret' })).toEqual({ user: 'bob' })
    expect(authenticate({ ...nowhere, token: 'new-secret' })).toEqual({ user: 'bob' })
  })

  it.each([undefined, '', 'secret-of-eve', 'ann'])('let nobody in with %s', (token) => {
    expect(() => authenticate({ ...nowhere, token })).toThrow(expect.objectContaining({ code: 'UNAUTHENTICATED' }))
  })
})
