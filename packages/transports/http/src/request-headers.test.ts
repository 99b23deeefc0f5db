import { describe, expect, it } from 'vitest'
import { callHeaders } from './request-headers.ts'

describe('the headers of a call', () => {
  it('are those of the request, each one text', () => {
    const headers = { accept: '*/*', 'x-tenant': 'north', linked: 'yes' }
    expect(callHeaders(headers)).toBe(headers)
    expect(callHeaders({ accept: '*/*', 'set-cookie': ['a=1', 'b=2'] })).toEqual({
      accept: '*/*',
      'set-cookie': 'a=1; b=2',
    })
  })

  it('have none by which handlers know who calls over link: over HTTP, anybody could say it', () => {
    const forged = { accept: '*/*', 'link-user': 'root', 'link-certificate': 'root', 'link-anything': 'x' }
    expect(callHeaders(forged)).toEqual({ accept: '*/*' })
    expect(callHeaders({ 'link-user': 'root', 'set-cookie': ['a=1'] })).toEqual({ 'set-cookie': 'a=1' })
    expect(Object.keys(forged)).toHaveLength(4)
  })
})
