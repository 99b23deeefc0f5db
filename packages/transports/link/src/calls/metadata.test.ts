import { describe, expect, it } from 'vitest'
import type { Peer } from '../connection/types.ts'
import { metadataOf, receivedOf } from './metadata.ts'

const nobody: Peer = { user: undefined, address: '', compressAboveBytes: Number.POSITIVE_INFINITY }
const ann: Peer = { ...nobody, user: 'ann', certificate: { commonName: 'Ann', fingerprint256: 'AA' } }

describe('the metadata of a call', () => {
  it('carries headers and the id of the request', () => {
    const metadata = metadataOf({ 'x-tenant': 'a' }, 'id-1')
    expect(receivedOf(metadata, nobody)).toEqual({ id: 'id-1', headers: { 'x-tenant': 'a' } })
  })

  it('is nothing where nothing is said', () => {
    expect(metadataOf({}, undefined)).toEqual({})
    expect(receivedOf({}, nobody)).toEqual({ id: undefined, headers: {} })
  })

  it('says who calls, and lets no client say so', () => {
    const forged = { 'link-user': 'root', 'link-anything': 'x', ':id': 'id-1', ':other': 'x', user: 'root' }
    expect(receivedOf(forged, ann).headers).toEqual({ user: 'root', 'link-user': 'ann', 'link-certificate': 'Ann' })
    expect(receivedOf(forged, nobody).headers).toEqual({ user: 'root' })
    expect(metadataOf(forged, 'id-2')).toEqual({ user: 'root', ':id': 'id-2' })
  })

  it.each(['', 'x'.repeat(129), 'two words', 'line\nbreak'])('takes no id that is odd', (id) => {
    expect(receivedOf({ ':id': id }, nobody).id).toBeUndefined()
  })
})
