import { expect, it } from 'vitest'
import { withDirectory } from '../embedded/scratch.ts'
import { playClients } from './clients.ts'

/** Few clients: whether they come, come back and lose nothing, not how fast. */
it('has clients of a broker that is killed come back, with everything handled that was confirmed', {
  timeout: 120_000,
}, async () => {
  const plan = { clients: 20, channels: 3, publishEveryMs: 50, calmMs: 400, kills: 1, patienceMs: 60_000 }
  const results = await withDirectory((dir) => playClients(dir, plan))
  expect(results.map(({ case: name }) => name.replace('20 clients, ', ''))).toEqual([
    'all connected',
    'memory of the broker for each',
    'memory of their process for each',
    'publish confirmed, p50',
    'publish confirmed, p99',
    'broker killed: until it listens',
    'broker killed: then until all are back',
    'broker killed: longest publish, from before',
    'messages confirmed',
    'messages handled twice',
  ])
  for (const { case: name, ours } of results)
    if (!name.includes('memory') && !name.includes('twice')) expect(ours, name).toBeGreaterThan(0)
})
