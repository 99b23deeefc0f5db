import { createCall } from 'posthaste/pipeline'
import { describe, expect, it } from 'vitest'
import { seeded, troubleMaker } from './chaos.ts'

/** What becomes of this many calls: `ok`, or how they failed. Latencies are left out, so that nothing is waited for. */
async function fatesOf(seed: number, rate: number, count: number): Promise<string[]> {
  const trouble = troubleMaker({ rate, seed, logLevel: 'silent' })
  trouble.set({ latency: { rate: 0, ms: 0 } })
  const fates: string[] = []
  for (let at = 0; at < count; at += 1) {
    const call = createCall({ kind: 'request', target: 't', id: String(at), payload: undefined })
    try {
      fates.push(await trouble.apply(call, () => 'ok'))
    } catch (error) {
      fates.push((error as Error).message)
    }
  }
  return fates
}

describe('trouble', () => {
  it('is the same for the same seed, and another for another', async () => {
    const first = await fatesOf(1, 0.5, 50)
    expect(await fatesOf(1, 0.5, 50)).toEqual(first)
    expect(await fatesOf(2, 0.5, 50)).not.toEqual(first)
  })

  it('refuses calls and loses answers', async () => {
    const fates = (await fatesOf(3, 0.5, 50)).join('\n')
    expect(fates).toContain('refused on purpose')
    expect(fates).toContain('answer was lost on purpose')
    expect(fates).toContain('ok')
  })

  it('of rate 0 harms nobody', async () => {
    expect(new Set(await fatesOf(1, 0, 20))).toEqual(new Set(['ok']))
  })
})

it('seeded numbers are from 0 up to but not 1, and spread', () => {
  const random = seeded(7)
  const numbers = Array.from({ length: 1_000 }, random)
  expect(numbers.every((number) => number >= 0 && number < 1)).toBe(true)
  for (let tenth = 0; tenth < 10; tenth += 1) {
    expect(numbers.filter((number) => Math.floor(number * 10) === tenth).length).toBeGreaterThan(50)
  }
})
