import { PosthasteError, service, stream } from '@posthaste/contracts'
import fc from 'fast-check'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { standard } from '../../resilience/policies/presets.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { createRpc } from '../rpc.ts'

const number = z.number().min(0)
/** One that needs a promise to find out. */
const slowNumber = number.refine(async () => true)

const turns = async (count: number): Promise<void> => {
  for (let turn = 0; turn < count; turn++) await Promise.resolve()
}
const settled = (): Promise<void> => turns(200)

interface Scenario {
  readonly kind: 'server' | 'client' | 'both'
  /** Turns before each item. */
  readonly items: readonly number[]
  readonly isSlowSchema: boolean
  readonly isGuarded: boolean
  /** Before which item something goes wrong, and what. */
  readonly fault: { readonly at: number; readonly what: 'none' | 'source' | 'handler' | 'item' }
  /** How many items are asked for at a time. */
  readonly asks: readonly number[]
  /** How it ends if nothing else ends it: after all asks, or not at all. */
  readonly leave: 'read on' | 'return' | 'abort' | 'timeout'
  /** Turns between asking and leaving. */
  readonly patience: number
}

const scenarios: fc.Arbitrary<Scenario> = fc.record({
  kind: fc.constantFrom('server', 'client', 'both'),
  items: fc.array(fc.nat(4), { maxLength: 6 }),
  isSlowSchema: fc.boolean(),
  isGuarded: fc.boolean(),
  fault: fc.record({ at: fc.nat(6), what: fc.constantFrom('none', 'source', 'handler', 'item') }),
  asks: fc.array(fc.integer({ min: 1, max: 4 }), { maxLength: 5 }),
  leave: fc.constantFrom('read on', 'return', 'abort', 'timeout'),
  patience: fc.nat(30),
})

/** A generator that counts how often it was begun and left, so that what nobody let go of shows. */
class Ledger {
  begun = 0
  left = 0

  async *items(pauses: readonly number[], fault: { at: number; isFailing: boolean; isBad: boolean }) {
    this.begun += 1
    try {
      for (const [nth, pause] of pauses.entries()) {
        await turns(pause)
        if (nth === fault.at && fault.isFailing) throw new PosthasteError('NOT_FOUND', 'no more')
        yield nth === fault.at && fault.isBad ? -1 : nth
      }
    } finally {
      this.left += 1
    }
  }
}

function setUp({ isSlowSchema, isGuarded, kind, items, fault }: Scenario) {
  const schema = isSlowSchema ? slowNumber : number
  const Model = service('shop.Model', {
    server: { input: z.string(), output: stream(schema), idempotent: true },
    client: { input: stream(schema), output: z.array(z.number()), idempotent: true },
    both: { input: stream(schema), output: stream(schema), idempotent: true },
  })
  const clock = manualClock()
  const rpc = createRpc({ clock, random: () => 0 })
  const source = new Ledger()
  const handler = new Ledger()
  const { at, what } = fault
  const noFault = { at, isFailing: false, isBad: false }
  const handlers = {
    server: () =>
      handler.items(items, { at, isFailing: what === 'handler' || what === 'source', isBad: what === 'item' }),
    async client(numbers: AsyncIterable<number>) {
      handler.begun += 1
      try {
        const seen: number[] = []
        for await (const value of numbers) {
          if (what === 'handler' && seen.length === at) throw new PosthasteError('NOT_FOUND', 'no more')
          seen.push(value)
        }
        return seen
      } finally {
        handler.left += 1
      }
    },
    async *both(numbers: AsyncIterable<number>) {
      handler.begun += 1
      let nth = 0
      try {
        for await (const value of numbers) {
          if (what === 'handler' && nth++ === at) throw new PosthasteError('NOT_FOUND', 'no more')
          yield value
        }
      } finally {
        handler.left += 1
      }
    },
  }
  rpc.serve(Model, handlers, isGuarded ? { bulkhead: { concurrency: 1 } } : {})
  const client = rpc.client(Model, isGuarded ? { preset: standard, bulkhead: { concurrency: 1 }, retry: false } : {})
  const input = source.items(
    items,
    kind === 'server' ? noFault : { at, isFailing: what === 'source', isBad: what === 'item' },
  )
  return { clock, rpc, client, input, source, handler, mayFail: what !== 'none' && at < items.length }
}

describe('streams, however they are read and left', () => {
  it('lose and double no item, end once, and leave nothing behind', async () => {
    await fc.assert(
      fc.asyncProperty(
        scenarios.filter(({ kind }) => kind !== 'client'),
        async (scenario) => {
          const { clock, rpc, client, input, source, handler, mayFail } = setUp(scenario)
          const abort = new AbortController()
          const options = {
            signal: abort.signal,
            ...(scenario.leave === 'timeout' && { timeoutMs: 100 }),
          }
          const items = (scenario.kind === 'server' ? client.server('a', options) : client.both(input, options))[
            Symbol.asyncIterator
          ]()
          const told: string[] = []
          /** By the order of asking. */
          const ask = async (): Promise<void> => {
            const nth = told.push('nothing') - 1
            try {
              const { done, value } = await items.next()
              told[nth] = done === true ? 'done' : `item ${value}`
            } catch (failure) {
              told[nth] = (failure as PosthasteError).code
            }
          }
          for (const count of scenario.asks) {
            const answers = Array.from({ length: count }, ask)
            await turns(scenario.patience)
            if (scenario.leave === 'read on') await Promise.all(answers)
          }
          if (scenario.leave === 'return') await items.return?.()
          if (scenario.leave === 'abort') abort.abort()
          if (scenario.leave === 'timeout') await clock.advance(120)
          if (scenario.leave === 'read on') for (let nth = 0; nth <= scenario.items.length + 1; nth++) await ask()
          await settled()
          await ask()

          // Items in their order, then one end, then nothing more.
          const count = told.findIndex((what) => !what.startsWith('item'))
          const ends = told.slice(count)
          expect(told.slice(0, count)).toEqual(Array.from({ length: count }, (_, nth) => `item ${nth}`))
          expect(ends.slice(1).every((what) => what === 'done')).toBe(true)
          const { at, what } = scenario.fault
          if (scenario.leave === 'read on') {
            const code = what === 'item' ? (scenario.kind === 'server' ? 'INTERNAL' : 'PAYLOAD_INVALID') : 'NOT_FOUND'
            expect(ends[0]).toBe(mayFail ? code : 'done')
            expect(count).toBe(mayFail ? at : scenario.items.length)
          }
          if (scenario.leave === 'return' && !mayFail) expect(ends[0]).toBe('done')

          // What was not asked for in time has just begun.
          if (scenario.asks.length === 0) await items.return?.()
          // Whatever was begun was let go of, and nobody waits or listens for anything.
          await settled()
          expect([source.left, handler.left]).toEqual([source.begun, handler.begun])
          expect(handler.begun).toBeLessThanOrEqual(1)
          await rpc.drain(1_000)
          expect(clock.pending()).toBeLessThanOrEqual(1)
          await clock.advance(100_000)
          expect(clock.pending()).toBe(0)
        },
      ),
      { numRuns: 600 },
    )
  })

  it('reach the handler of an answer whole, or the call fails', async () => {
    await fc.assert(
      fc.asyncProperty(scenarios, async (given) => {
        const scenario = { ...given, kind: 'client' as const }
        const { clock, rpc, client, input, source, handler, mayFail } = setUp(scenario)
        const abort = new AbortController()
        const outcome = client
          .client(input, { signal: abort.signal, ...(scenario.leave === 'timeout' && { timeoutMs: 100 }) })
          .then(
            (seen) => seen,
            (failure: PosthasteError) => failure.code,
          )
        await turns(scenario.patience)
        if (scenario.leave === 'abort') abort.abort()
        if (scenario.leave === 'timeout') await clock.advance(120)
        const seen = await outcome
        const whole = scenario.items.map((_, nth) => nth)
        const code = scenario.fault.what === 'item' ? 'PAYLOAD_INVALID' : 'NOT_FOUND'
        const expected: unknown[] = [mayFail ? code : whole]
        if (scenario.leave === 'abort') expected.push('CANCELLED')
        if (scenario.leave === 'timeout') expected.push('DEADLINE_EXCEEDED')
        expect(expected).toContainEqual(seen)
        await settled()
        expect([source.left, handler.left]).toEqual([source.begun, handler.begun])
        await rpc.drain(1_000)
        await clock.advance(100_000)
        expect(clock.pending()).toBe(0)
      }),
      { numRuns: 400 },
    )
  })
})
