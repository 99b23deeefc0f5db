import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import { idempotencyStoreCases } from '@posthaste/conformance/stores'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { Rig, remedy, server } from '../test/rig.ts'
import { type RedisIdempotency, redisIdempotency } from './redis-idempotency.ts'

const claim = (key: string) => ({ key, fingerprint: 'f', leaseMs: 60_000 })

describe.skipIf(server === undefined)(`results in Redis (${remedy})`, () => {
  let rig: Rig
  let stores: [RedisIdempotency, RedisIdempotency]
  beforeAll(() => {
    rig = new Rig()
    stores = [rig.open(redisIdempotency), rig.open(redisIdempotency)]
  })
  afterAll(() => rig.close())

  it.each(idempotencyStoreCases)('$title', ({ run }) => run({ stores, advance: (ms) => rig.advance(ms) }))

  it('keeps the claim of a process that is killed until its lease lapses, and its results to their end', async () => {
    const script = `
      import { redisIdempotency } from ${JSON.stringify(join(import.meta.dirname, 'index.ts'))}
      const store = redisIdempotency({ url: ${JSON.stringify(rig.url)}, prefix: ${JSON.stringify(rig.prefix)} })
      const { token } = await store.claim(${JSON.stringify(claim('done'))})
      await store.complete('done', token, { result: Uint8Array.of(7), ttlMs: 600_000 })
      await store.claim(${JSON.stringify(claim('held'))})
      console.log('ready')`
    const child = spawn(process.execPath, ['--conditions=source', '--input-type=module', '-e', script])
    await once(child.stdout, 'data')
    child.kill('SIGKILL')
    await once(child, 'exit')
    const [store] = stores
    expect(await store.claim(claim('done'))).toEqual({ state: 'done', result: Uint8Array.of(7) })
    expect(await store.claim(claim('held'))).toMatchObject({ state: 'inFlight' })
    await rig.advance(60_000)
    expect(await store.claim(claim('held'))).toMatchObject({ state: 'fresh' })
  })

  it('leaves no key that does not expire', async () => {
    const [store] = stores
    const state = await store.claim(claim('a'))
    if (state.state === 'fresh') await store.complete('a', state.token, { result: Uint8Array.of(1), ttlMs: 0.5 })
    for (const key of await rig.keys()) expect(await rig.client.pttl(key)).not.toBe(-1)
  })

  it('is not misled by what another prefix holds', async () => {
    const other = rig.open(redisIdempotency, { prefix: `${rig.prefix}-other` })
    await stores[0].claim(claim('shared'))
    const state = await other.claim(claim('shared'))
    expect(state).toMatchObject({ state: 'fresh' })
    if (state.state === 'fresh') await other.release('shared', state.token)
  })
})
