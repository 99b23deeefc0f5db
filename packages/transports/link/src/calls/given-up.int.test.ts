import { service, stream } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { client, errorOf, served } from '../../test/apps.ts'

const Slow = service('shop.Slow', {
  wait: { input: z.void(), output: z.void() },
  watch: { input: z.void(), output: stream(z.number()) },
  load: { input: stream(z.number()), output: z.void() },
  ping: { input: z.void(), output: z.string() },
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
})
