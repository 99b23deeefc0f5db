import { describe, expect, it } from 'vitest'
import { noteStillRunning, stillRunning } from './still-running.ts'

describe('a failure', () => {
  it('is the end of its work, unless it was said that this runs on', () => {
    const [one, another] = [new Error('late'), new Error('late')]
    const work = Promise.resolve(1)
    noteStillRunning(one, work)
    expect([stillRunning(one), stillRunning(another)]).toEqual([work, undefined])
  })

  it('may be anything', () => {
    for (const thrown of [undefined, null, 'text', 7, Symbol('it')]) expect(stillRunning(thrown)).toBeUndefined()
  })
})
