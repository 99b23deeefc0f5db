import { describe, expect, it } from 'vitest'
import { Made } from './made.ts'

const refused = (what: RegExp) =>
  expect.objectContaining({
    ...{ code: 'OVERLOADED', verdict: 'permanent', message: expect.stringMatching(what) },
    remedy: expect.stringContaining('limits.groupsMax'),
  })
const anybody = { user: 'x', max: Number.POSITIVE_INFINITY }

describe('what users make', () => {
  it('is bounded for each of them and for all, and what there is may be asked for again', () => {
    const made = new Made('groups', 3, () => ['old'])
    made.look()
    const few = { user: 'few', max: 1 }
    made.begin(['a', 'a'], few).done(['a'])
    expect(() => made.begin(['b'], few)).toThrow(refused(/'few' may not make more than 1 groups/))
    made.begin(['a', 'old'], few).done([])
    made.begin(['b'], anybody).done(['b'])
    expect(() => made.begin(['c'], anybody)).toThrow(refused(/more than 3 groups/))
    made.begin(['a', 'b', 'old'], anybody).done([])
  })

  it('counts before it is there, once however many ask for it, and no longer where it does not come to be', () => {
    const made = new Made('groups', 10, () => [])
    const two = { user: 'two', max: 2 }
    const first = made.begin(['a', 'b'], two)
    const same = made.begin(['a', 'b'], two)
    expect(() => made.begin(['c'], two)).toThrow(refused(/two/))
    first.done(['a', 'b'])
    same.done([])
    expect(() => made.begin(['c'], two)).toThrow(refused(/two/))
    const failed = made.begin(['c', 'd'], anybody)
    failed.done()
    made.begin(['e'], { user: 'x', max: 1 }).done(['e'])
  })

  it('takes no room where it was tried and did not come to be, without a failure', () => {
    const made = new Made('groups', 3, () => ['there'])
    for (const name of ['a', 'b', 'c', 'd']) made.begin([name], anybody).done([])
    made.begin(['there'], anybody).done([])
    expect([...made.known]).toEqual(['there'])
    made.begin(['e', 'f'], anybody).done(['e', 'f'])
    expect(() => made.begin(['g'], anybody)).toThrow(refused(/more than 3/))
  })

  it('is looked for before it is refused: it may have come to be without anybody asking', () => {
    const there = ['a']
    const made = new Made('groups', 2, () => there)
    made.look()
    there.push('by itself')
    made.begin(['b'], anybody).done(['b'])
    made.begin(['by itself'], anybody).done([])
    expect(() => made.begin(['c'], anybody)).toThrow(refused(/more than 2/))
    expect(() => made.begin(['by itself', 'c'], anybody)).toThrow(refused(/more than 2/))
  })
})
