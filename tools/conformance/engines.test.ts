import { join } from 'node:path'
import { afterEach, describe, expect, it, vi } from 'vitest'
import { harnessPath, loadHarness, namedEngines, ownEngines, whatIsMissing } from './engines.ts'

const root = join(import.meta.dirname, '../..')

describe('harnessPath', () => {
  it('knows the engines of this repository by their names', () => {
    expect(harnessPath('memory', '/elsewhere')).toBe(join(root, 'packages/engines/memory/test/harness.ts'))
  })

  it('takes anything else for a path, from where the command was called', () => {
    expect(harnessPath('./mine.ts', '/elsewhere')).toBe('/elsewhere/mine.ts')
    expect(harnessPath('nosuchengine', '/elsewhere')).toBe('/elsewhere/nosuchengine')
  })
})

describe('loadHarness', () => {
  it.each(['memory', 'embedded', 'examples/engine/test/harness.ts'])('loads %s', async (engine) => {
    expect(await loadHarness(engine, root)).toHaveProperty('create')
  })

  it('says what is missing', async () => {
    await expect(loadHarness('nosuchengine', root)).rejects.toThrow(/no engine of packages\/engines/)
    await expect(loadHarness('tools/conformance/options.ts', root)).rejects.toThrow(/must export a harness/)
  })
})

describe('namedEngines', () => {
  it('takes all for those of this repository, and each once', () => {
    expect(namedEngines(['all', 'memory', './mine.ts'])).toEqual([...ownEngines, './mine.ts'])
    expect(namedEngines(['redis'])).toEqual(['redis'])
  })
})

describe('whatIsMissing', () => {
  afterEach(() => vi.unstubAllEnvs())

  it('asks for nothing where an engine needs no server', () => {
    expect(whatIsMissing('memory')).toBeUndefined()
    expect(whatIsMissing('./mine.ts')).toBeUndefined()
  })

  it('takes the server that the environment names', () => {
    vi.stubEnv('POSTHASTE_REDIS_URL', 'redis://127.0.0.1:1')
    expect(whatIsMissing('redis')).toBeUndefined()
  })
})
