import { type IncomingCall, PosthasteError, service, stream } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { silentLog } from '../pipeline/log.ts'
import { manualClock } from '../testing/manual-clock.ts'
import { createRpc } from './rpc.ts'
import type { ServiceHandlers } from './serve.ts'

const Work = service('shop.Work', {
  one: { input: z.void(), output: z.void() },
  take: { input: stream(z.number()), output: z.void() },
  give: { input: z.void(), output: stream(z.number()) },
  giveLate: { input: z.void(), output: stream(z.number()) },
})

type Method = keyof typeof Work.methods

const nobody: ServiceHandlers<typeof Work.methods> = {
  one() {},
  take() {},
  async *give() {},
  giveLate: () => [],
}

/** A call of a method, of which `handlers` are served, with 100 ms for it. */
function begun(method: Method, handlers: Partial<typeof nobody>) {
  const clock = manualClock()
  const served = createRpc({ clock, log: silentLog }).serve(Work, { ...nobody, ...handlers })
  const payload = method === 'take' ? (async function* () {})() : undefined
  const incoming: IncomingCall = { payload, headers: {}, timeoutMs: 100 }
  const running = served.find(({ method: name }) => name === method)!.dispatch(incoming)
  running.result.catch(() => {})
  return { clock, running }
}

async function settled(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => setImmediate(resolve))
}

const gone = new PosthasteError('CANCELLED', 'gone')

type Begun = ReturnType<typeof begun>

/** How a call ends for its caller before it has ended. */
const ends: readonly [string, (call: Begun) => Promise<void>][] = [
  ['is cancelled', async ({ running }) => running.cancel(gone)],
  ['has no time left', ({ clock }) => clock.advance(110)],
  [
    'is cancelled, and then has no time left',
    async ({ running, clock }) => {
      running.cancel(gone)
      await clock.advance(110)
    },
  ],
]

const methods: readonly Method[] = ['one', 'take', 'give', 'giveLate']

describe('The work of a call that its handler does not end', () => {
  it.each(methods.flatMap((method) => ends.map(([how, end]) => [method, how, end] as const)))(
    'though it %s %s is unfinished until it does',
    async (method, _, end) => {
      const work = Promise.withResolvers<void>()
      const call = begun(method, {
        one: () => work.promise,
        take: () => work.promise,
        async *give() {
          await work.promise
          yield 1
        },
        giveLate: () => work.promise.then(() => [1]),
      })
      if (method === 'give') void reading(await call.running.result)
      await settled()
      await end(call)
      await settled()
      let isOver = false
      const left = call.running.unfinished()?.then(() => {
        isOver = true
      })
      await settled()
      expect([left === undefined, isOver]).toEqual([false, false])
      work.resolve()
      await left
      await settled()
      expect(call.running.unfinished()).toBeUndefined()
    },
  )

  it('is told to everybody who asks', async () => {
    const work = Promise.withResolvers<void>()
    const { running } = begun('one', { one: () => work.promise })
    running.cancel(gone)
    const left = [running.unfinished(), running.unfinished()]
    work.resolve()
    expect(await Promise.all(left)).toEqual([undefined, undefined])
  })
})

describe('Nothing is left of a call', () => {
  it.each<readonly [string, () => void | Promise<void>]>([
    ['answers', () => {}],
    ['answers later', async () => {}],
    ['fails', () => Promise.reject(gone)],
    [
      'throws',
      () => {
        throw gone
      },
    ],
  ])('whose handler %s', async (_, one) => {
    const { running } = begun('one', { one })
    await running.result.catch(() => {})
    expect(running.unfinished()).toBeUndefined()
  })

  it.each(ends)('that %s, where its handler heeds that', async (_, end) => {
    const call = begun('one', {
      one: (_input, { signal }) =>
        new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    })
    await end(call)
    await settled()
    expect(call.running.unfinished()).toBeUndefined()
  })
})

async function reading(items: unknown): Promise<void> {
  try {
    for await (const _ of items as AsyncIterable<unknown>);
  } catch {
    // How it ends is not asked here.
  }
}
