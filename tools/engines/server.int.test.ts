import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { setTimeout as sleep } from 'node:timers/promises'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { exchange, line } from './probes/exchange.ts'
import { type PrivateServer, startServer } from './server.ts'
import { findExecutable } from './sources/path.ts'

const canRun = findExecutable('redis-server') !== undefined || process.env.CI !== undefined

describe.skipIf(!canRun)('a private server', () => {
  let dir: string
  let server: PrivateServer

  beforeAll(async () => {
    dir = mkdtempSync(join(tmpdir(), 'engine-server-'))
    server = await startServer('redis', { dir, tls: true })
  })

  afterAll(async () => {
    await server.stop()
    rmSync(dir, { recursive: true })
  })

  const say = (command: string): Promise<string> =>
    exchange(new URL(server.url), ({ send, receive }) => {
      send(`${command}\r\n`)
      return receive(line)
    })

  it('says how it is reached', () => {
    expect(server).toMatchObject({ name: 'redis', url: `redis://127.0.0.1:${server.port}`, username: 'posthaste' })
    expect(server.tlsUrl).toMatch(/^rediss:/)
  })

  it('can be killed and started again on the same port and data', async () => {
    expect(await say('SET confirmed 1')).toBe('+OK')
    const { pid, port } = server
    await server.kill()
    await expect(say('PING')).rejects.toThrow(/ECONNREFUSED/)
    await server.restart()
    expect([server.port, server.pid === pid]).toEqual([port, false])
    expect(await say('EXISTS confirmed')).toBe(':1')
  })

  it('answers nothing while it is paused, and everything afterwards', async () => {
    server.pause()
    let answered = false
    const answer = say('PING').finally(() => {
      answered = true
    })
    await sleep(100)
    expect(answered).toBe(false)
    server.resume()
    expect(await answer).toBe('+PONG')
  })

  it('is stopped for good, even twice, and even while it is paused', async () => {
    server.pause()
    await server.stop()
    await server.stop()
    await expect(say('PING')).rejects.toThrow(/ECONNREFUSED/)
  })
})
