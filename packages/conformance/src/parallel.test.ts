import { describe, expect, it } from 'vitest'
import { turn } from './pacing.ts'
import { inParallel } from './parallel.ts'

/** Runs numbers and notes how many were at work at a time, and in which order they were begun. */
async function run(width: number | undefined, numbers: readonly number[]) {
  const begun: number[] = []
  let [atWork, most] = [0, 0]
  await inParallel(width, numbers, async (number) => {
    begun.push(number)
    atWork += 1
    most = Math.max(most, atWork)
    for (let turns = 0; turns < number % 3; turns += 1) await turn()
    atWork -= 1
  })
  return { begun, most, atWork }
}

describe('inParallel', () => {
  const numbers = [5, 2, 8, 1, 9, 4]

  it('does one after the other by default', async () => {
    expect(await run(undefined, numbers)).toEqual({ begun: numbers, most: 1, atWork: 0 })
  })

  it('does as many at a time as it may, all of them, in order', async () => {
    expect(await run(3, numbers)).toEqual({ begun: numbers, most: 3, atWork: 0 })
    expect(await run(30, numbers)).toEqual({ begun: numbers, most: 5, atWork: 0 })
  })

  it('does nothing with nothing', async () => {
    expect(await run(4, [])).toMatchObject({ begun: [] })
  })

  it('begins nothing after a failure, and ends what is under way', async () => {
    const [begun, ended]: [number[], number[]] = [[], []]
    const failing = inParallel(2, numbers, async (number) => {
      begun.push(number)
      await turn()
      if (number === 5) throw new Error('five')
      await turn()
      ended.push(number)
    })
    await expect(failing).rejects.toThrow('five')
    expect([begun, ended]).toEqual([[5, 2], [2]])
  })
})
