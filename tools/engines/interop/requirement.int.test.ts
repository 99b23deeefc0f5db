import { afterEach, describe, expect, it, type TestContext, vi } from 'vitest'
import { required } from './requirement.ts'

/** What a test is told when it is skipped. */
class Skipped extends Error {}

const context = {
  skip: (note: string) => {
    throw new Skipped(note)
  },
} as unknown as TestContext

const client = async () => ['client'] as const

afterEach(() => vi.unstubAllEnvs())

describe('what a test needs', () => {
  it('is given where all of it is there', async () => {
    vi.stubEnv('POSTHASTE_REDIS_URL', 'redis://somewhere')
    expect(await required(context, { name: 'redis', language: 'COBOL', client })).toEqual({
      server: { name: 'redis', url: 'redis://somewhere' },
      client: ['client'],
    })
  })

  it('skips the test where something is missing, and says how to come by it', async () => {
    vi.stubEnv('CI', undefined)
    const noServer = required(context, { name: 'nosuch', language: 'COBOL', client })
    await expect(noServer).rejects.toThrow(new Skipped('no nosuch runs; start it with: npm run engines -- up nosuch'))
    vi.stubEnv('POSTHASTE_REDIS_URL', 'redis://somewhere')
    const noLanguage = required(context, { name: 'redis', language: 'COBOL', client: async () => undefined })
    await expect(noLanguage).rejects.toThrow(new Skipped('COBOL is not installed'))
  })

  it('fails the test in CI where something is missing', async () => {
    vi.stubEnv('CI', 'true')
    const noServer = required(context, { name: 'nosuch', language: 'COBOL', client })
    await expect(noServer).rejects.not.toBeInstanceOf(Skipped)
    await expect(noServer).rejects.toThrow(/no nosuch runs/)
  })
})
