import { service, stream } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { client, errorOf, served } from '../../test/apps.ts'

const Slow = service('shop.Slow', {
  wait: { input: z.void(), output: z.void() },
  watch: { input: z.void(), output: stream(z.number()) },
  load: { input: stream(z.number()), output: z.void() },
  ping: { input: z.void(), output: z.string() },
  stuck: { input: z.void(), output: z.void() },
})

async function* endless() {
  for (let n = 0; ; n++) {
    yield n
    await new Promise((resolve) => setImmediate(resolve))
  }
}

describe('A call that its caller gave up', () => {
  it('leaves its place on the connection to others', async () => {
    const { url } = await served(
      [
        Slow,
        {
          wait: (_: unknown, { signal }: { signal: AbortSignal }) =>
            new Promise<void>((_resolve, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
          watch: () => endless(),
          load: async (items: AsyncIterable<number>) => {
            for await (const _ of items);
          },
          ping: () => 'pong',
          stuck() {},
        },
      ],
      { streamsMax: 4 },
    )
    const slow = await client(Slow, { url })
    for (let round = 0; round < 3; round++) {
      expect(await errorOf(slow.wait(undefined, { timeoutMs: 20 }))).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
      for await (const _ of slow.watch()) break
      expect(await errorOf(slow.load(endless(), { timeoutMs: 20 }))).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    }
    expect(await slow.ping()).toBe('pong')
  })

  it('keeps its place on the connection for as long as its handler does not heed that', async () => {
    const work = Promise.withResolvers<void>()
    let begun = 0
    const { url } = await served(
      [
        Slow,
        {
          wait() {},
          watch: () => [],
          load() {},
          ping: () => 'pong',
          stuck() {
            begun++
            return work.promise
          },
        },
      ],
      { streamsMax: 2 },
    )
    const slow = await client(Slow, { url })
    // On a busy machine the time of a call may be up before it has come to its handler.
    while (begun < 2)
      expect(await errorOf(slow.stuck(undefined, { timeoutMs: 20 }))).toMatchObject({ code: 'DEADLINE_EXCEEDED' })
    expect(await errorOf(slow.ping())).toMatchObject({ code: 'OVERLOADED' })
    work.resolve()
    await expect.poll(() => slow.ping().catch(() => undefined)).toBe('pong')
  })
})
