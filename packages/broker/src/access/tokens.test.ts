import { createHash } from 'node:crypto'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { Gate } from './grants.ts'
import { hashToken, isTokenHash, isTokenOf } from './tokens.ts'

const open = {
  connectionsMax: undefined,
  channelsMax: undefined,
  groupsMax: undefined,
  temporaryGroupsMax: undefined,
  subscriptionsMax: undefined,
  bytesInFlightMax: undefined,
  bytesInHandMax: undefined,
  recordsPerSecondMax: undefined,
}
const rights = { publish: [], consume: [], manage: [] }
const none = { token: undefined, certificate: undefined, address: '' }

describe('a token', () => {
  it('is known by its hash, which says nothing of it and is another each time', async () => {
    const hash = hashToken('secret')
    expect(isTokenHash(hash)).toBe(true)
    expect(hash).not.toContain('secret')
    expect(hashToken('secret')).not.toBe(hash)
    expect(await isTokenOf('secret', hash)).toBe(true)
    expect(await isTokenOf('other', hash)).toBe(false)
  })

  it('may be hashed fast where it is random', async () => {
    for (const encoding of ['hex', 'base64url'] as const) {
      const hash = `sha256:${createHash('sha256').update('secret').digest(encoding)}`
      expect(isTokenHash(hash)).toBe(true)
      expect(await isTokenOf('secret', hash)).toBe(true)
      expect(await isTokenOf('secre', hash)).toBe(false)
    }
    for (const text of ['secret', 'md5:abc', 'sha256:short', 'scrypt:salt:hash', 7])
      expect(isTokenHash(text)).toBe(false)
  })
})

describe('the gate', () => {
  const gate = new Gate(
    {
      orders: { tokens: [hashToken('one'), hashToken('two')], certificates: [], rights, limits: open },
      billing: { tokens: [], certificates: ['billing.local'], rights, limits: open },
    },
    open,
    manualClock(),
  )

  it('lets users in by any of their tokens, and by their certificates', async () => {
    expect((await gate.authenticate({ ...none, token: 'one' })).user).toBe('orders')
    const again = await gate.authenticate({ ...none, token: 'two' })
    expect(again.grants).toBe((await gate.authenticate({ ...none, token: 'one' })).grants)
    const certificate = { commonName: 'billing.local', fingerprint256: '' }
    expect((await gate.authenticate({ ...none, certificate })).user).toBe('billing')
  })

  it('lets nobody else in, however often they ask', async () => {
    const certificate = { commonName: 'stranger', fingerprint256: '' }
    for (const credentials of [
      none,
      { ...none, token: 'three' },
      { ...none, token: 'three' },
      { ...none, certificate },
    ])
      await expect(gate.authenticate(credentials)).rejects.toMatchObject({ code: 'UNAUTHENTICATED' })
  })

  it('judges a token once, however many clients come with it at once, and has only so many others wait', async () => {
    const hash = `sha256:${createHash('sha256').update('secret').digest('hex')}`
    const guarded = new Gate(
      { orders: { tokens: [hash], certificates: [], rights, limits: open } },
      open,
      manualClock(),
    )
    const come = (token: string) =>
      guarded.authenticate({ ...none, token }).then(
        ({ user }) => user,
        ({ code }) => code,
      )
    const together = Array.from({ length: 500 }, () => come('secret'))
    const guesses = Array.from({ length: 500 }, (_, at) => come(`guess ${at}`))
    expect(new Set(await Promise.all(together))).toEqual(new Set(['orders']))
    // Known by now, it does not wait behind those who guess.
    expect(await come('secret')).toBe('orders')
    const refused = (await Promise.all(guesses.slice(100))).filter((code) => code === 'OVERLOADED')
    expect(refused).toHaveLength(400)
  })

  it('lets everybody in where there are no users', async () => {
    const { user, grants } = await new Gate({}, open, manualClock()).authenticate(none)
    expect([user, (grants as { permissions: { managesAll: boolean } }).permissions.managesAll]).toEqual([
      'anybody',
      true,
    ])
  })
})
