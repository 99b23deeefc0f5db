import { once } from 'node:events'
import { type AddressInfo, createServer, type Server, type Socket } from 'node:net'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { afterEach, describe, expect, it } from 'vitest'
import { broker } from './engine.ts'

const host = { clock: systemClock, log: silentLog, instance: 'test', random: () => 0.5, onState: () => {} }
const record = { id: '1', channel: 'c', headers: {}, body: new Uint8Array(0) }
const servers: Server[] = []
afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

/** Somebody on a port who is no broker. @returns where */
async function somebody(met: (socket: Socket) => void): Promise<string> {
  const server = createServer((socket) => {
    socket.on('error', () => {})
    met(socket)
  })
  servers.push(server)
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return `link://127.0.0.1:${(server.address() as AddressInfo).port}`
}

describe('an engine whose broker is not there', () => {
  it('says so within its time limit, and is closed then', async () => {
    const url = await somebody((socket) => socket.resetAndDestroy())
    const engine = broker({ url, timeoutMs: 300 })
    await expect(engine.open(host)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await expect(engine.publish([record])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await engine.close()
  })

  it('does not take anybody else for one', async () => {
    const url = await somebody((socket) => socket.end('HTTP/1.1 400 Bad Request\r\n\r\n'))
    await expect(broker({ url, timeoutMs: 300 }).open(host)).rejects.toMatchObject({ code: expect.any(String) })
  })
})

describe('an engine that was never opened', () => {
  it('refuses everything with the same error, and may be closed', async () => {
    const engine = broker('link://127.0.0.1:1')
    const sink = { deliver() {}, lost() {}, closed() {} }
    const attempts = [
      () => engine.publish([record]),
      () => engine.declare({ channels: [], groups: [] }),
      () => engine.subscribe({ channel: 'c', group: 'g', member: 'm' }, sink),
      () => engine.topology(),
      () => engine.browsing?.browse({ channel: 'c', limit: 1 }),
      () => engine.lag?.lag('c', 'g'),
      () => engine.listing?.channels(),
      () => engine.listing?.groups('c'),
      () => engine.patterns?.watch('a.*', () => {}),
    ]
    for (const attempt of attempts)
      await expect(Promise.resolve(attempt())).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(engine.capabilities).toMatchObject({ durability: 'disk', filter: 'none', attempts: 'exact' })
    await engine.close()
    await engine.close()
    await expect(engine.open(host)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  })
})
