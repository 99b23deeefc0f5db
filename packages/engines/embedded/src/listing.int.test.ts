import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { manualClock, silentLog } from 'posthaste/testing'
import { afterEach, beforeEach, expect, it } from 'vitest'
import { embedded } from './embedded.ts'

let dir: string
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'posthaste-listing-'))
})
afterEach(() => rm(dir, { recursive: true, force: true }))

async function opened() {
  const engine = embedded({ dir })
  const host = { clock: manualClock(), log: silentLog, instance: 'test', random: () => 0.5, onState: () => {} }
  await engine.open(host)
  return engine
}

const topology = {
  channels: [
    { name: 'work', kind: 'queue', keyed: false },
    { name: 'facts', kind: 'log', keyed: true, retention: { forMs: 60_000 } },
  ],
  groups: [
    { channel: 'facts', group: 'points', from: 'next' },
    { channel: 'facts', group: 'audit', from: 'earliest' },
    { channel: 'facts', group: 'glance', from: 'next', lifetime: 'temporary' },
  ],
} as const

it('lists channels with their settings and groups with their members, by name, over a restart too', async () => {
  const engine = await opened()
  await engine.declare(topology)
  const sink = { deliver() {}, closed() {}, lost() {} }
  const member = await engine.subscribe({ channel: 'facts', group: 'audit', member: 'one' }, sink)
  await engine.subscribe({ channel: 'facts', group: 'audit', member: 'two' }, sink)

  expect(await engine.listing?.channels()).toEqual([topology.channels[1], topology.channels[0]])
  expect(await engine.listing?.groups('facts')).toEqual([
    { group: 'audit', lifetime: 'durable', members: 2 },
    { group: 'glance', lifetime: 'temporary', members: 0 },
    { group: 'points', lifetime: 'durable', members: 0 },
  ])
  await member.stop()
  expect(await engine.listing?.groups('facts')).toMatchObject([{ group: 'audit', members: 1 }, {}, {}])
  await engine.close()

  const again = await opened()
  expect(await again.listing?.channels()).toEqual([topology.channels[1], topology.channels[0]])
  const groups = await again.listing?.groups('facts')
  expect(groups?.map(({ group }) => group)).toEqual(['audit', 'points'])
  expect(await again.listing?.groups('work')).toEqual([])
  await again.close()
})

it('knows no groups of a channel that is not declared, and nothing once it is closed', async () => {
  const engine = await opened()
  await expect(engine.listing?.groups('nowhere')).rejects.toMatchObject({ code: 'NOT_FOUND' })
  await engine.close()
  await expect(engine.listing?.channels()).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
})
