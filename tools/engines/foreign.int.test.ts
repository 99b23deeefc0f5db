import { describe, expect, it } from 'vitest'
import { ask, withoutPassword } from './foreign.ts'
import { anyPorts } from './ports.ts'
import type { Recipe } from './recipe.ts'
import { redis } from './recipes/redis.ts'

const asked: string[] = []
const answering: Recipe = {
  ...redis,
  async probe(url) {
    asked.push(url.href)
    return '7.0.15'
  },
}

describe('a server that the environment names', () => {
  it('is asked for its version, on the standard port where none is named', async () => {
    const report = await ask(answering, 'redis://somewhere')
    expect(report).toEqual({ name: 'redis', state: 'foreign', url: 'redis://somewhere', version: '7.0.15' })
    expect(asked).toEqual(['redis://somewhere:6379'])
  })

  it('is a failure when it does not answer, and the variable is named', async () => {
    const { main } = await anyPorts({ main: 0 })
    expect(await ask(redis, `redis://user:secret@127.0.0.1:${main}`)).toEqual({
      name: 'redis',
      state: 'failed',
      url: `redis://user:***@127.0.0.1:${main}`,
      note: expect.stringMatching(/POSTHASTE_REDIS_URL names it, but: .*ECONNREFUSED/),
    })
  })

  it('is believed when it wants TLS', async () => {
    expect(await ask(redis, 'rediss://somewhere')).toMatchObject({
      state: 'foreign',
      note: expect.stringMatching(/TLS/),
    })
  })

  it('is a failure when its address is none', async () => {
    expect(await ask(redis, 'somewhere')).toMatchObject({ state: 'failed', note: 'POSTHASTE_REDIS_URL is not a URL' })
  })
})

describe('an address', () => {
  it('is shown without its password, unless everybody knows it', () => {
    expect(withoutPassword('amqp://guest:guest@127.0.0.1:1')).toBe('amqp://guest:guest@127.0.0.1:1')
    expect(withoutPassword('amqp://me:secret@127.0.0.1:1')).toBe('amqp://me:***@127.0.0.1:1')
    expect(withoutPassword('::secret')).toBe('***')
  })
})
