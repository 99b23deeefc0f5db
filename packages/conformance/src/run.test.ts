import type { Engine } from '@posthaste/contracts'
import { memory, memoryStore } from '@posthaste/memory'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { ConformanceCase } from './case.ts'
import { type EngineHarness, engineUnderTest } from './harness.ts'
import { acknowledge } from './member.ts'
import { runCase, runSuite } from './run.ts'

/** A harness that notes what is done to it. */
function harness(change: (engine: Engine) => Engine = (engine) => engine) {
  const notes: string[] = []
  const noted: EngineHarness = {
    create() {
      notes.push('create')
      const store = memoryStore()
      const clock = manualClock()
      return engineUnderTest({
        connect: () => change(memory({ store })),
        clock,
        advance: (ms) => clock.advance(ms),
        cleanup: async () => void notes.push('cleanup'),
      })
    },
  }
  return { harness: noted, notes }
}

/** An engine with some methods replaced. */
const replaced = (engine: Engine, methods: Partial<Engine>): Engine =>
  new Proxy(engine, {
    get(target, name) {
      if (name in methods) return Reflect.get(methods, name)
      const value: unknown = Reflect.get(target, name, target)
      return typeof value === 'function' ? value.bind(target) : value
    },
  })

const testCase = (run: ConformanceCase['run'], needs?: ConformanceCase['needs']): ConformanceCase => ({
  id: 'a/case',
  title: 'a case',
  needs,
  run,
})

const quick = { patienceMs: 50 }

describe('runCase', () => {
  it('passes a case that throws nothing, and cleans up', async () => {
    const { harness: given, notes } = harness()
    expect(
      await runCase(
        testCase(async () => {}),
        given,
      ),
    ).toEqual({ status: 'passed', figures: {} })
    expect(notes).toEqual(['create', 'cleanup'])
  })

  it('fails a case that throws, with what it threw, and closes and cleans up all the same', async () => {
    const closed: string[] = []
    const { harness: given, notes } = harness((engine) =>
      replaced(engine, {
        close() {
          closed.push('close')
          return engine.close()
        },
      }),
    )
    const error = new Error('not as it should be')
    const outcome = await runCase(
      testCase(() => Promise.reject(error)),
      given,
    )
    expect(outcome).toEqual({ status: 'failed', error })
    expect(closed).toEqual(['close'])
    expect(notes).toEqual(['create', 'cleanup'])
  })

  it('skips a case whose needs are not met, and says which', async () => {
    const { harness: given } = harness((engine) =>
      replaced(engine, { capabilities: { ...engine.capabilities, delay: 'none' } }),
    )
    const outcome = await runCase(
      testCase(() => Promise.reject(new Error('must not run')), ['delay', 'lag', 'crash']),
      given,
    )
    expect(outcome).toEqual({ status: 'skipped', reason: 'not declared: delay, crash' })
  })

  it('fails a case after which the engine cannot be closed', async () => {
    const { harness: given, notes } = harness((engine) => replaced(engine, { close: () => new Promise(() => {}) }))
    const outcome = await runCase(
      testCase(async () => {}),
      given,
      quick,
    )
    expect(outcome).toMatchObject({ status: 'failed', error: { message: 'close did not end within 50 ms' } })
    expect(notes).toEqual(['create', 'cleanup'])
  })

  it('fails a case after which the engine still takes records', async () => {
    const { harness: given } = harness((engine) => replaced(engine, { publish: async () => [] }))
    const outcome = await runCase(
      testCase(async () => {}),
      given,
      quick,
    )
    expect(outcome).toMatchObject({ status: 'failed', error: { message: expect.stringContaining('ENGINE_CLOSED') } })
  })

  it('fails, and does not hang, where a call is never answered', async () => {
    const { harness: given } = harness((engine) => replaced(engine, { publish: () => new Promise(() => {}) }))
    const run: ConformanceCase['run'] = async (context) => {
      const channel = await context.channel()
      await channel.publish(channel.record())
    }
    const outcome = await runCase(testCase(run), given, quick)
    expect(outcome).toMatchObject({ status: 'failed', error: { message: 'publish did not end within 50 ms' } })
  })

  it('fails, and does not hang, where what is waited for never comes, and names it', async () => {
    const { harness: given } = harness()
    const run: ConformanceCase['run'] = async (context) => {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 1 })
      await channel.publish(...channel.records(2))
      await member.take(2)
    }
    const outcome = await runCase(testCase(run), given, quick)
    expect(outcome).toMatchObject({
      error: { message: expect.stringMatching(/^waited 50 ms for member-.* to receive 2, has 1$/) },
    })
  })

  it('fails a case in which something was seen that must never be, whatever the case thinks of it', async () => {
    const { harness: given } = harness((engine) =>
      replaced(engine, {
        async subscribe(spec, sink) {
          const joined = await engine.subscribe(spec, sink)
          return {
            ...joined,
            grant: (credit) => joined.grant(credit + 1),
            settle: (batch) => joined.settle(batch),
            extend: async () => {},
            stop: () => joined.stop(),
          }
        },
      }),
    )
    const run: ConformanceCase['run'] = async (context) => {
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 1 })
      await channel.publish(...channel.records(2))
      await member.next()
    }
    const outcome = await runCase(testCase(run), given, quick)
    expect(outcome).toMatchObject({
      status: 'failed',
      error: { actual: [expect.stringContaining('1 deliveries more than')] },
    })
  })

  it('gives work elsewhere an installation of its own, and fails with it', async () => {
    const { harness: given, notes } = harness()
    const run: ConformanceCase['run'] = async ({ underTest, elsewhere }) => {
      await elsewhere(
        async (other) => {
          expect(other.underTest).not.toBe(underTest)
          expect(other.settings.patienceMs).toBe(7)
          throw new Error('elsewhere')
        },
        { patienceMs: 7 },
      )
    }
    expect(await runCase(testCase(run), given)).toMatchObject({ status: 'failed', error: { message: 'elsewhere' } })
    expect(notes).toEqual(['create', 'create', 'cleanup', 'cleanup'])
  })
})

describe('what a case is run with', () => {
  it('is what the harness says where nobody says otherwise, a setting that is left open included', async () => {
    const { harness: given } = harness()
    const seen: number[] = []
    const noting = testCase(async ({ settings }) => void seen.push(settings.scale))
    const settled = { ...given, settings: { scale: 0.2 } }
    for (const scale of [undefined, 3]) await runCase(noting, settled, { scale })
    expect(seen).toEqual([0.2, 3])
  })

  it('knows what the engine has by itself, and by that whether records stand in key ranges', async () => {
    const { harness: given } = harness()
    const seen: boolean[] = []
    const noting = testCase(async (context) => {
      for (const keyed of [true, false]) seen.push(context.hasRanges({ keyed }))
    })
    const declaring = (change: object): EngineHarness => ({
      async create() {
        const underTest = await given.create()
        const capabilities = { ...underTest.engine.capabilities, ...change }
        return { ...underTest, declared: { capabilities } }
      },
    })
    for (const attempts of ['exact', 'none']) {
      await runCase(noting, declaring({ keyOrder: 'partitions', attempts }))
    }
    await runCase(noting, given)
    expect(seen).toEqual([true, false, true, true, false, false])
  })

  it('is cleaned up where its engine cannot be opened', async () => {
    const { harness: given, notes } = harness((engine) =>
      replaced(engine, { open: () => Promise.reject(new Error('no server')) }),
    )
    await expect(given.create()).rejects.toThrow('no server')
    expect(notes).toEqual(['create', 'cleanup'])
  })
})

describe('restarts', () => {
  it('open another engine on the same state, and tell members of the old one apart', async () => {
    const { harness: given } = harness()
    const run: ConformanceCase['run'] = async (context) => {
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(3))
      const before = await channel.join('g', { credit: 1 })
      await before.next()
      const { engine } = context
      await context.restart()
      expect(context.engine).not.toBe(engine)
      expect(before.ended).toBe(true)
      const after = await channel.join('g', { credit: 10, handle: acknowledge })
      expect(await after.take(3)).toHaveLength(sent.length)
    }
    expect(await runCase(testCase(run), given)).toEqual({ status: 'passed', figures: {} })
  })
})

describe('runSuite', () => {
  it('reports on every case, by id, with the engine’s name and capabilities', async () => {
    const { harness: given } = harness()
    const error = new Error('no')
    const cases = [
      { id: 'a/good', title: 'good', run: async () => {} },
      { id: 'a/bad', title: 'bad', run: () => Promise.reject(error) },
      { id: 'a/unmet', title: 'unmet', needs: ['crash'], run: async () => {} },
    ] as const satisfies readonly ConformanceCase[]
    const report = await runSuite(cases, given)
    expect(report).toEqual({
      engine: 'memory',
      capabilities: memory().capabilities,
      outcomes: {
        'a/good': { status: 'passed', figures: {} },
        'a/bad': { status: 'failed', error },
        'a/unmet': { status: 'skipped', reason: 'not declared: crash' },
      },
    })
  })
})
