import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { mkdtempSync, rmSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { redisIdempotency } from './redis-idempotency.ts'
import { redisRateLimits } from './redis-rate-limits.ts'

const program = 'redis-server'
const isThere = spawnSync(program, ['--version']).status === 0

async function freePort(): Promise<number> {
  const probe = createServer().listen(0, '127.0.0.1')
  await once(probe, 'listening')
  const address = probe.address()
  probe.close()
  return typeof address === 'object' && address !== null ? address.port : 0
}

let dir: string
let running: ChildProcess[]
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'redis-store-'))
  running = []
})
afterEach(async () => {
  for (const server of running) await kill(server)
  rmSync(dir, { recursive: true, force: true })
})

/** A server of one's own that syncs every write. */
async function start(port: number): Promise<ChildProcess> {
  const settings = [
    '--port',
    port,
    '--bind',
    '127.0.0.1',
    '--dir',
    dir,
    '--appendonly',
    'yes',
    '--appendfsync',
    'always',
  ]
  const server = spawn(program, settings.map(String), { stdio: ['ignore', 'pipe', 'inherit'] })
  running.push(server)
  for await (const line of createInterface(server.stdout)) if (line.includes('Ready to accept connections')) break
  server.stdout.resume()
  return server
}

async function kill(server: ChildProcess): Promise<void> {
  if (server.exitCode !== null || server.signalCode !== null) return
  server.kill('SIGKILL')
  await once(server, 'exit')
}

const claim = (key: string) => ({ key, fingerprint: 'f', leaseMs: 600_000 })
const limit = { unitMs: 600_000, burst: 2 }

describe.skipIf(!isThere)(`a server that is killed and started again (without ${program} this is left out)`, () => {
  it('has kept what it synced, and stores go on by themselves', async () => {
    const port = await freePort()
    const server = await start(port)
    const url = `redis://127.0.0.1:${port}`
    const [results, rates] = [redisIdempotency({ url, timeoutMs: 5_000 }), redisRateLimits({ url, timeoutMs: 5_000 })]
    try {
      const state = await results.claim(claim('done'))
      if (state.state === 'fresh')
        await results.complete('done', state.token, { result: Uint8Array.of(7), ttlMs: 600_000 })
      await results.claim(claim('held'))
      await rates.take('k', 2, limit)
      await kill(server)
      await expect(results.claim(claim('held'))).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      await start(port)
      expect(await results.claim(claim('done'))).toEqual({ state: 'done', result: Uint8Array.of(7) })
      expect(await results.claim(claim('held'))).toMatchObject({ state: 'inFlight' })
      expect(await rates.take('k', 1, limit)).toMatchObject({ allowed: false, remaining: 0 })
    } finally {
      await results.close()
      await rates.close()
    }
  })
})
