import { describe, expect, it } from 'vitest'
import { profileOf, selfTimesOf } from './profile.ts'

const frame = (functionName: string, url = '', lineNumber = 0) => {
  return { functionName, url, lineNumber, scriptId: '1', columnNumber: 0 }
}

describe('a profile', () => {
  it('tells whose own time it was, without idling', () => {
    const profile = {
      startTime: 0,
      endTime: 0,
      nodes: [
        { id: 1, callFrame: frame('(idle)') },
        { id: 2, callFrame: frame('work', 'file:///project/src/a.ts', 9) },
        { id: 3, callFrame: frame('') },
        { id: 4, callFrame: frame('work', 'file:///project/src/a.ts', 9) },
      ],
      samples: [1, 2, 3, 4],
      timeDeltas: [1_000, 30, 25, 45],
    }
    expect(selfTimesOf(profile, { top: 5, root: '/project' })).toEqual([
      { name: 'work', place: 'src/a.ts:10', percent: 75 },
      { name: '(anonymous)', place: '', percent: 25 },
    ])
    expect(selfTimesOf(profile, { top: 1, root: '/project' })).toHaveLength(1)
  })

  it('is taken while something runs', async () => {
    const profile = await profileOf(async () => {
      let sum = 0
      for (let i = 0; i < 5e6; i++) sum += Math.sqrt(i)
      return sum
    })
    expect(profile.samples?.length).toBeGreaterThan(0)
  })
})
