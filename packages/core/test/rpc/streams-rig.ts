import { type OutgoingCall, PosthasteError, service, stream } from '@posthaste/contracts'
import { z } from 'zod'
import type { ClientOptions } from '../../src/rpc/client-options.ts'
import { createRpc } from '../../src/rpc/rpc.ts'
import type { ServeOptions } from '../../src/rpc/serve.ts'
import { manualClock } from '../../src/testing/manual-clock.ts'

export const Feed = service('shop.Feed', {
  follow: { input: z.string(), output: stream(z.number()), idempotent: true },
  once: { input: z.string(), output: stream(z.number()) },
  upload: { input: stream(z.string()), output: z.number(), idempotent: true },
  ping: { input: z.string(), output: z.string(), idempotent: true },
})
export const Streams = service('shop.Streams', { follow: Feed.methods.follow, upload: Feed.methods.upload })

export type FeedOptions = ClientOptions<typeof Feed.methods>

export const down = new PosthasteError('UNAVAILABLE', 'down')
export const never = (): Promise<never> => new Promise(() => {})
export const settled = async (): Promise<void> => {
  for (let turn = 0; turn < 100; turn++) await Promise.resolve()
}

/** A stream that a test pushes, and that says whether it was let go of. */
export function pushed() {
  const told = { returned: 0 }
  const waiting: PromiseWithResolvers<IteratorResult<number>>[] = []
  const ready: PromiseWithResolvers<IteratorResult<number>>[] = []
  const take = (from: typeof waiting, to: typeof waiting): PromiseWithResolvers<IteratorResult<number>> => {
    const known = from.shift()
    if (known !== undefined) return known
    const made = Promise.withResolvers<IteratorResult<number>>()
    to.push(made)
    return made
  }
  return {
    told,
    push: (value: number) => take(waiting, ready).resolve({ done: false, value }),
    end: () => take(waiting, ready).resolve({ done: true, value: undefined }),
    fail: (failure: unknown) => take(waiting, ready).reject(failure),
    [Symbol.asyncIterator]: () => ({
      next: () => take(ready, waiting).promise,
      async return() {
        told.returned += 1
        return { done: true as const, value: undefined }
      },
    }),
  }
}

/** A client over a transport that answers as it is told, counting. */
export function calling(answer: (call: OutgoingCall, nth: number) => unknown, options: FeedOptions = {}) {
  const clock = manualClock()
  const calls: OutgoingCall[] = []
  const transport = {
    name: 'test',
    streams: true,
    call(_: unknown, outgoing: OutgoingCall) {
      calls.push(outgoing)
      return answer(outgoing, calls.length)
    },
    async close() {},
  }
  const rpc = createRpc({ clock, random: () => 0 })
  return { clock, calls, rpc, client: rpc.client(Feed, { transport, ...options }) }
}

/** The same rpc on both sides. */
export function serving(follow: () => AsyncIterable<number>, options: ServeOptions = {}) {
  const clock = manualClock()
  const rpc = createRpc({ clock, random: () => 0 })
  rpc.serve(Feed, { follow, once: follow, upload: () => 1, ping: (text) => text }, options)
  return { clock, rpc, client: rpc.client(Feed) }
}

export const reading = (items: AsyncIterable<number>): AsyncIterator<number> => items[Symbol.asyncIterator]()
export const value = async (next: Promise<IteratorResult<number>>): Promise<number | undefined> => (await next).value
