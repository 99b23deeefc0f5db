import { describe, expect, it } from 'vitest'
import { commonVersion, incompatible, protocolVersions } from './version.ts'

describe('the version of the protocol', () => {
  it('is the best of ours that the other side speaks', () => {
    expect(commonVersion([1, 3, 2], [4, 3, 2])).toBe(3)
    expect(commonVersion([1, 5], [4, 3, 2])).toBeUndefined()
    expect(commonVersion([], [4])).toBeUndefined()
    expect(commonVersion(protocolVersions)).toBe(protocolVersions[0])
  })

  it('that nobody shares is an error that says which side is the older one', () => {
    expect(incompatible([3], [2, 1])).toMatchObject({
      ...{ code: 'FAILED_PRECONDITION', verdict: 'permanent', details: { client: [3], broker: [2, 1] } },
      message: expect.stringContaining('version 3 of the broker'),
      remedy: expect.stringContaining('the broker is the older one'),
    })
    expect(incompatible([1], [2]).remedy).toContain('the client is the older one')
  })
})
