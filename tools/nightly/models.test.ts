import { describe, expect, it } from 'vitest'
import { modelFiles, modelOf } from './models.ts'

describe('the models of the nightly run', () => {
  it('are found, and run', async () => {
    const files = modelFiles()
    expect([...files.keys()]).toEqual(expect.arrayContaining(['breaker', 'breakers', 'retry-budget', 'timer-wheel']))
    const model = await modelOf(files.get('retry-budget') as string)
    expect(await model.run({ steps: 100, seed: 1 })).toBeGreaterThanOrEqual(100)
  })

  it('must be exported', async () => {
    await expect(modelOf(import.meta.filename.replace('models.test.ts', 'options.ts'))).rejects.toThrow(
      'exports no model',
    )
  })
})
