import { type Call, type FilterEvent, PosthasteError } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { createCall } from '../../pipeline/call.ts'
import { cancelSource } from '../../pipeline/cancellation.ts'
import { filterDeps } from '../../pipeline/stack.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { type ChaosOptions, chaos } from './chaos.ts'

const call = createCall({ kind: 'request', target: 'shop.Inventory/checkStock', id: '1', payload: 7 })

/** `draws` are given out one after the other, over and over. */
function setUp(options: ChaosOptions, draws: readonly number[] = [0.5]) {
  const clock = manualClock()
  const log = recordingLog()
  const events: FilterEvent[] = []
  let drawn = 0
  const random = (): number => draws[drawn++ % draws.length] as number
  const deps = filterDeps({ clock, log, random, target: 'shop', onEvent: (event) => events.push(event) })
  let done = 0
  const filter = chaos(options, deps)
  const run = (one: Call = call) => filter.apply(one, () => ++done)
  return { clock, log, events, filter, run, done: () => done, drawn: () => drawn }
}

describe('chaos', () => {
  it('injects nothing and draws nothing unless asked to, and says nothing', () => {
    for (const options of [{}, { latency: { rate: 0, ms: 5 }, error: { rate: 0 }, abort: { rate: 0 } }]) {
      const { run, log, drawn } = setUp(options)
      expect(run()).toBe(1)
      expect([drawn(), log.entries]).toEqual([0, []])
    }
  })

  it('warns where it injects faults', () => {
    const { log } = setUp({ error: { rate: 0.1 } })
    expect(log.entries).toMatchObject([{ level: 'warn', fields: { target: 'shop', errorRate: 0.1 } }])
  })

  it('holds calls back, for a time between two bounds, and passes them on', async () => {
    const { run, clock, done, events } = setUp({ latency: { rate: 1, ms: [100, 300] } }, [0, 0.25])
    const answer = run()
    await clock.advance(149)
    expect(done()).toBe(0)
    await clock.advance(20)
    await expect(answer).resolves.toBe(1)
    expect(events).toEqual([{ target: 'shop', role: 'chaos', kind: 'injected', fault: 'latency', delayMs: 150 }])
  })

  it('ends a delay when the call is cancelled, and then does not pass it on', async () => {
    const { run, done } = setUp({ latency: { rate: 1, ms: 60_000 } })
    const source = cancelSource()
    const answer = run(call.derive({ cancellation: source.token }))
    const reason = new PosthasteError('CANCELLED', 'enough')
    source.cancel(reason)
    await expect(answer).rejects.toBe(reason)
    expect(done()).toBe(0)
  })

  it('refuses calls before they are passed on', () => {
    const { run, done } = setUp({ error: { rate: 1 } })
    expect(() => run()).toThrow(expect.objectContaining({ code: 'UNAVAILABLE', notSent: true }))
    const own = setUp({ error: { rate: 1, error: ({ id }) => new PosthasteError('OVERLOADED', id) } })
    expect(() => own.run()).toThrow(expect.objectContaining({ code: 'OVERLOADED' }))
    expect(done() + own.done()).toBe(0)
  })

  it('loses answers of calls that were done', async () => {
    const { run, done, filter } = setUp({ abort: { rate: 1 } })
    const lost = expect.objectContaining({ code: 'UNAVAILABLE', notSent: false })
    expect(() => run()).toThrow(lost)
    await expect(filter.apply(call, async () => 1)).rejects.toEqual(lost)
    expect(done()).toBe(1)
    await expect(filter.apply(call, () => Promise.reject(new TypeError('its own')))).rejects.toThrow('its own')
    expect(filter.snapshot?.()).toMatchObject({ aborts: 2 })
  })

  it('hits the share of calls it is told to', () => {
    const draws = Array.from({ length: 100 }, (_, n) => n / 100)
    fc.assert(
      fc.property(fc.integer({ min: 1, max: 100 }), (percent) => {
        const { run, filter } = setUp({ error: { rate: percent / 100 } }, draws)
        for (let n = 0; n < 100; n++) {
          try {
            run()
          } catch {}
        }
        expect(filter.snapshot?.()).toMatchObject({ errors: percent, latencies: 0, aborts: 0 })
      }),
    )
  })

  it('spares the calls it is told to', () => {
    const { run } = setUp({ error: { rate: 1 }, when: ({ target }) => target === 'other' })
    expect(run()).toBe(1)
  })

  it('is turned up and down while it runs, each fault by itself', () => {
    const { run, filter, log } = setUp({ error: { rate: 1 } })
    filter.set({ abort: { rate: 1 } })
    expect(run).toThrow(expect.objectContaining({ notSent: true }))
    filter.set({ error: { rate: 0 } })
    expect(run).toThrow(expect.objectContaining({ notSent: false }))
    filter.set({ abort: { rate: 0 } })
    expect(run()).toBe(2)
    expect(log.entries.filter(({ level }) => level === 'warn')).toHaveLength(3)
    expect(filter.describe()).toEqual({ role: 'chaos' })
    expect(filter.snapshot?.()).toMatchObject({ errorRate: 0, abortRate: 0, errors: 1, aborts: 1 })
  })

  it('stays as it is when it is turned to something wrong', () => {
    const { filter } = setUp({ error: { rate: 0.5 } })
    expect(() => filter.set({ error: { rate: 0.1 }, abort: { rate: 2 } })).toThrow('chaos.abort.rate')
    expect(filter.snapshot?.()).toMatchObject({ errorRate: 0.5 })
  })

  it.each<[unknown, string[]]>([
    [{ latency: { rate: 1 } }, ['chaos.latency.ms']],
    [{ latency: { rate: 2, ms: [5, 1] } }, ['chaos.latency.rate', 'chaos.latency.ms']],
    [{ latency: { rate: 0, ms: [1, 2, 3] } }, ['chaos.latency.ms']],
    [{ latency: { rate: 0, ms: 'x' }, abort: {} }, ['chaos.latency.ms', 'chaos.abort.rate']],
    [{ latency: { rate: 1, ms: null } }, ['chaos.latency.ms']],
    [{ latency: { rate: 1, ms: '20' } }, ['chaos.latency.ms']],
    [{ latency: { rate: 1, ms: ['1', true] } }, ['chaos.latency.ms']],
    [{ error: { error: 5 }, abort: 5, x: 1 }, ['chaos.x', 'chaos.abort', 'chaos.error.rate', 'chaos.error.error']],
  ])('refuses %o', (options, paths) => {
    const issues = paths.map((path) => expect.objectContaining({ path }))
    expect(() => setUp(options as ChaosOptions)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID', issues }))
  })
})
