import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { expect, it, vi } from 'vitest'
import { bench } from './rpc.ts'

it('the benchmark of calls runs, at a small scale, and has a figure for everything', async () => {
  // Most of the time goes to processes that start.
  vi.stubEnv('NODE_COMPILE_CACHE', join(tmpdir(), 'node-compile-cache'))
  const { results } = await bench(1, { ms: 80, warmMs: 80, settleMs: 20, connections: 20, contestants: ['ours'] })
  expect(results.map(({ case: name }) => name)).toEqual(
    expect.arrayContaining([
      'unary, 100 B, 64 under way',
      'unary, 100 B, 512 under way: latency p99',
      'unary, 64 KiB, 64 under way',
      'stream, items of 100 B',
      'stream, items of 64 KiB',
      "server's memory for each of 20 idle connections",
    ]),
  )
  for (const { ours } of results) expect(ours).not.toBeNaN()
}, 120_000)
