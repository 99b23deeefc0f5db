import { afterEach, expect, it, vi } from 'vitest'
import { brokers } from './brokers.ts'
import { brokerFiguresApart } from './brokers-apart.ts'

afterEach(() => void vi.unstubAllEnvs())

it('tells of brokers that are not installed as whoever measures them here does', async () => {
  vi.stubEnv('PATH', '')
  const work = { rounds: 1, durationMs: 1, outstanding: 1, bytes: { small: 1, large: 1 } }
  const { rates, notes } = await brokerFiguresApart(work)
  expect(rates.size).toBe(0)
  expect(notes).toEqual(Object.fromEntries(brokers.map((broker) => [broker.name, broker.missing()])))
})

it('fails when the other process does', async () => {
  const work = { rounds: 1, durationMs: 1, outstanding: 1, bytes: undefined } as never
  vi.stubEnv('NODE_OPTIONS', '--no-such-option')
  await expect(brokerFiguresApart(work)).rejects.toThrow('brokers-program.ts ended with 9')
})
