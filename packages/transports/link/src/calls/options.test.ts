import { describe, expect, it } from 'vitest'
import { link } from './link.ts'
import { linkClient } from './link-client.ts'
import { authenticateBy } from './tokens.ts'

const refused = (...paths: string[]) =>
  expect.objectContaining({ code: 'CONFIG_INVALID', issues: paths.map((path) => expect.objectContaining({ path })) })

describe('the options of link', () => {
  it('are refused all at once, and no secret is told', () => {
    const options = { codecs: 'x', tokens: { ann: 'short', bob: ['same-secret', 'same-secret'] }, authorize: true }
    expect(() => link(options as never)).toThrow(refused('codecs', 'tokens.ann', 'tokens.bob', 'authorize'))
    expect(() => link({ tokens: { ann: 'short' } })).not.toThrow('short')
  })

  it('take tokens or a function that authenticates, and not both', () => {
    const authenticate = () => ({ user: 'ann' })
    expect(() => link({ tokens: { ann: 'secret-of-ann' }, authenticate })).toThrow(refused('tokens'))
    expect(() => link({ authenticate })).not.toThrow()
  })
})

describe('the options of a client of link', () => {
  it('are refused', () => {
    expect(() => linkClient({ url: 'link://localhost', codecs: [{}] as never })).toThrow(refused('codecs.0'))
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
