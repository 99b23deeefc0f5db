import type { Engine, PatternGroupSpec } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { declare, join, openEngine, record } from '../test/rig.ts'
import { memoryStore } from './store.ts'

function patternsOf({ patterns }: Engine) {
  if (patterns === undefined) throw new Error('it has patterns')
  return patterns
}

const log = async (engine: Engine, ...names: readonly string[]): Promise<void> => {
  for (const name of names) await declare(engine, { name }, [])
}

const spec = (pattern: string, wish: Partial<PatternGroupSpec> = {}): PatternGroupSpec => {
  return { pattern, group: 'p', from: 'next', ...wish }
}

async function watched(engine: Engine, pattern: string) {
  const channels: string[] = []
  const end = await patternsOf(engine).watch(pattern, (channel) => channels.push(channel))
  return { channels, end }
}

describe('a pattern', () => {
  it.each([
    ['a.*', ['a.b', 'a.c-d_E']],
    ['a.**', ['a.b', 'a.c-d_E', 'a.b.c']],
    ['*.b', ['a.b', 'x.b']],
    ['a.*.c', ['a.b.c']],
    ['a', ['a']],
    ['**', ['a', 'a.b', 'a.c-d_E', 'a.b.c', 'x.b', 'axb']],
  ])('%s takes words, not letters, and nothing internal', async (pattern, expected) => {
    const { engine } = await openEngine()
    await log(engine, 'a', 'a.b', 'a.c-d_E', 'a.b.c', 'x.b', 'axb', 'posthaste.b', 'posthaste.dead.a')
    await declare(engine, { name: 'a.queue', kind: 'queue' }, [])
    await patternsOf(engine).declare(spec(pattern))
    expect((await watched(engine, pattern)).channels).toEqual(expected)
  })

  it.each(['', 'a.', '.a', 'a.**.b', 'a*', 'a b', '***'])('%o is none', async (pattern) => {
    const { engine } = await openEngine()
    const invalid = { code: 'CONFIG_INVALID', issues: [{ path: 'pattern' }] }
    await expect(patternsOf(engine).declare(spec(pattern))).rejects.toMatchObject(invalid)
    await expect(patternsOf(engine).watch(pattern, () => {})).rejects.toMatchObject(invalid)
  })
})

describe('pattern groups', () => {
  it('are there before anything is published, in channels of before and later, and of a later process', async () => {
    const store = memoryStore()
    const first = await openEngine({ store })
    await log(first.engine, 'a.1')
    await patternsOf(first.engine).declare(spec('a.*'))
    await patternsOf(first.engine).declare(spec('a.*', { group: 't', lifetime: 'temporary' }))
    await log(first.engine, 'a.2')
    await join(first.engine, 1, { channel: 'a.2', group: 't' })
    await first.engine.close()
    const { engine, clock } = await openEngine({ store })
    await log(engine, 'a.3')
    for (const channel of ['a.1', 'a.2', 'a.3']) {
      await engine.publish([record('1', { channel })])
      const member = await join(engine, 1, { channel, group: 'p' })
      await clock.advance(0)
      expect(member.ids()).toEqual(['1'])
      await expect(join(engine, 1, { channel, group: 't' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    }
  })

  it('are told of once, as they appear, until nobody listens any more', async () => {
    const { engine } = await openEngine()
    await log(engine, 'a.1')
    const { channels, end } = await watched(engine, 'a.*')
    expect(channels).toEqual([])
    await patternsOf(engine).declare(spec('a.*'))
    await patternsOf(engine).declare(spec('a.*', { group: 'other' }))
    await log(engine, 'a.2', 'a.2', 'b.1')
    expect(channels).toEqual(['a.1', 'a.2'])
    end()
    await log(engine, 'a.3')
    expect(channels).toEqual(['a.1', 'a.2'])
  })

  it('come back when they are declared again, where they were temporary and are gone', async () => {
    const { engine } = await openEngine()
    await log(engine, 'a.1')
    const temporary = spec('a.*', { lifetime: 'temporary' })
    await patternsOf(engine).declare(temporary)
    await (await join(engine, 0, { channel: 'a.1', group: 'p' })).stop()
    await expect(join(engine, 0, { channel: 'a.1', group: 'p' })).rejects.toMatchObject({ code: 'NOT_FOUND' })
    await patternsOf(engine).declare(temporary)
    await expect(join(engine, 0, { channel: 'a.1', group: 'p' })).resolves.toBeDefined()
  })

  it('do not suffer from a listener that throws, which is logged', async () => {
    const { engine, log: logged } = await openEngine()
    const fault = new Error('a bug')
    await patternsOf(engine).watch('a.*', () => {
      throw fault
    })
    await patternsOf(engine).declare(spec('a.*'))
    await log(engine, 'a.1')
    expect(logged.entries).toMatchObject([{ level: 'error', fields: { channel: 'a.1', cause: fault } }])
  })

  it('have names like all groups', async () => {
    const { engine } = await openEngine()
    const declaring = patternsOf(engine).declare(spec('a.*', { group: 'no spaces' }))
    await expect(declaring).rejects.toMatchObject({ code: 'CONFIG_INVALID', issues: [{ path: 'group' }] })
  })
})
