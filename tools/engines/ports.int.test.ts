import { once } from 'node:events'
import { createServer, type Server } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { anyPorts, freePorts, isFree, isOpen } from './ports.ts'

const servers: Server[] = []

afterEach(() => {
  for (const server of servers.splice(0)) server.close()
})

async function listen(port: number): Promise<void> {
  const server = createServer().listen(port, '127.0.0.1')
  servers.push(server)
  await once(server, 'listening')
}

describe('ports', () => {
  it('are those asked for while they are free, and others where they are taken', async () => {
    const wanted = await anyPorts({ main: 0, tls: 0 })
    expect(await freePorts(wanted)).toEqual(wanted)
    await listen(wanted.main)
    const got = await freePorts(wanted)
    expect(got.main).not.toBe(wanted.main)
    expect(got.tls).toBe(wanted.tls)
  })

  it('are never given for two purposes', async () => {
    const { main } = await anyPorts({ main: 0 })
    const { first, second } = await freePorts({ main, first: main, second: main })
    expect(new Set([main, first, second]).size).toBe(3)
  })

  it('are outside the range of outgoing connections, so that a restarted server gets its own again', async () => {
    for (const port of Object.values(await anyPorts({ main: 0, a: 0, b: 0, c: 0 }))) {
      expect(port).toBeGreaterThan(1_024)
      expect(port).toBeLessThan(32_768)
    }
  })

  it('are open while somebody listens', async () => {
    const { main } = await anyPorts({ main: 0 })
    expect([await isFree(main), await isOpen(main)]).toEqual([true, false])
    await listen(main)
    expect([await isFree(main), await isOpen(main)]).toEqual([false, true])
  })
})
