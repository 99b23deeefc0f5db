import { describe, expect, it } from 'vitest'
import { resolutionOf } from './resolution.ts'

const ids = Array.from({ length: 200 }, (_, count) => `3-${count}`)

describe('what becomes of a prepared message', () => {
  it('is said by its id, however often somebody asks', () => {
    expect(ids.map(resolutionOf)).toEqual(ids.map(resolutionOf))
  })

  it('is either, and now and then nobody can say at first', () => {
    expect(new Set(ids.map((id) => resolutionOf(id).decision))).toEqual(new Set(['commit', 'rollback']))
    expect(new Set(ids.map((id) => resolutionOf(id).unknownTimes))).toEqual(new Set([0, 1, 2]))
  })
})
