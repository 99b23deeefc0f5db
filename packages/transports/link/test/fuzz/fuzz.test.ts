import { describe, expect, it } from 'vitest'
import { fuzz } from './fuzz.ts'

describe('random, mutated and truncated frames', () => {
  it('crash no reader, no server and no client, and honest clients are served after them', async () => {
    const inputs = 20_000
    const figures = await fuzz({ inputs, from: 0, seed: 20_261_122 })
    const shares = { reader: 0.65 * inputs, server: 0.2 * inputs, client: 0.1 * inputs }
    expect(figures).toMatchObject({ ...shares, books: 0.025 * inputs, moves: 0.025 * inputs, honest: 20 })
    // Inputs that nobody gets far into would prove little.
    expect(figures.frames).toBeGreaterThan(inputs)
  })
})
