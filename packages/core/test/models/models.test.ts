import { readdirSync } from 'node:fs'
import { join } from 'node:path'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { type Model, modelOf } from './model.ts'

/** Enough to find what is plainly wrong; the nightly run makes a million. */
const steps = 3_000
const seed = Math.floor(Math.random() * 2 ** 31)

const files = readdirSync(import.meta.dirname).filter((file) => file.endsWith('.model.ts'))

describe('a model', () => {
  it.each(files)('%s: ours does what the reference does', async (file) => {
    const { model } = (await import(join(import.meta.dirname, file))) as { model: Model }
    expect(await model.run({ steps, seed })).toBeGreaterThanOrEqual(steps)
  })

  it('finds a difference, and tells the shortest program and its seed', async () => {
    const counter = modelOf({
      name: 'a counter that sticks at two',
      settings: fc.constant(undefined),
      steps: [
        fc.constant({
          label: 'count',
          run(model: { count: number }, real: { count: number }) {
            model.count++
            real.count = Math.min(real.count + 1, 2)
            if (model.count !== real.count) throw new Error(`${real.count} is not ${model.count}`)
          },
        }),
      ],
      start: () => ({ model: { count: 0 }, real: { count: 0 } }),
    })
    await expect(counter.run({ steps: 1_000, seed: 7 })).rejects.toThrow(/seed: 7[\s\S]*count,count,count/)
  })
})
