import { expect, it } from 'vitest'
import { withDirectory } from '../embedded/scratch.ts'
import { casesOf } from './cases.ts'
import { startService } from './service.ts'

/** Little work: whether each case can be measured at all, not how fast. */
it('measures each case on a broker of its own, beside the brokers that were measured', async () => {
  const peers = new Map([['another broker', { publish: { small: 1, large: 2 }, through: 3 }]])
  const messages = { small: 200, large: 100, through: 200 }
  const results = await withDirectory(async (dir) => {
    const service = await startService(dir)
    try {
      const bytes = { small: 100, large: 1_024 }
      return await casesOf({ url: service.url, rounds: 1, outstanding: 32, messages, bytes, peers })
    } finally {
      await service.stop()
    }
  })
  expect(results.map(({ case: name }) => name)).toEqual([
    'publish, confirmed, over link, 100 B',
    'publish, confirmed, over link, 100 B, engine alone',
    'publish, confirmed, over link, 1024 B',
    'publish, handle, ack, over link, 100 B',
    'publish, handle, ack, over link, 100 B, 1,000 keys',
    'publish, over link, 100 B, main thread of the client',
    'publish, handle, ack, over link, 100 B, main thread of the client',
  ])
  for (const { ours } of results) expect(ours).toBeGreaterThan(0)
  expect(results[2]!.peers).toEqual({ 'another broker': 2 })
  expect(results[3]).toMatchObject({ peers: { 'another broker': 3 }, goal: 'at least 100,000 msg/s' })
})
