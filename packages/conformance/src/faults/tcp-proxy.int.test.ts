import { createHash, randomBytes } from 'node:crypto'
import { once } from 'node:events'
import { type AddressInfo, connect, createServer, type Server, type Socket } from 'node:net'
import { afterEach, describe, expect, it } from 'vitest'
import { until } from '../pacing.ts'
import { TcpProxy } from './tcp-proxy.ts'

const patience = { patienceMs: 10_000, settle: async () => {} }
const eventually = (condition: () => boolean) => until(condition, () => condition.toString(), patience)

/** A server behind a proxy; what it does with a connection is the test's. */
class Bench {
  readonly accepted: Socket[] = []
  readonly clients: Socket[] = []
  readonly server: Server
  proxy = new TcpProxy({ port: 0 })

  constructor() {
    this.server = createServer({ allowHalfOpen: true }, (socket) => {
      socket.on('error', () => {})
      this.accepted.push(socket)
    })
  }

  async open(): Promise<void> {
    this.server.listen(0, '127.0.0.1')
    await once(this.server, 'listening')
    this.proxy = new TcpProxy({ port: (this.server.address() as AddressInfo).port })
    await this.proxy.listen()
  }

  /** A client with what it hears; it may or may not get through. */
  client(): Heard {
    const socket = connect({ port: this.proxy.port, host: '127.0.0.1', allowHalfOpen: true })
    this.clients.push(socket)
    return listen(socket)
  }

  /** Both ends of a new connection. */
  async pair(): Promise<{ readonly client: Heard; readonly server: Heard }> {
    const before = this.accepted.length
    const client = this.client()
    await eventually(() => this.accepted.length > before)
    return { client, server: listen(this.accepted[before] as Socket) }
  }

  async close(): Promise<void> {
    for (const socket of [...this.clients, ...this.accepted]) socket.destroy()
    await this.proxy.destroy()
    this.server.close()
  }
}

interface Heard {
  readonly socket: Socket
  text: string
  ended: boolean
  closed: 'no' | 'in order' | 'reset'
}

function listen(socket: Socket): Heard {
  const heard: Heard = { socket, text: '', ended: false, closed: 'no' }
  socket.on('error', () => {})
  socket.on('data', (bytes: Buffer) => {
    heard.text += bytes.toString('latin1')
  })
  socket.on('end', () => {
    heard.ended = true
  })
  socket.on('close', (hadError) => {
    heard.closed = hadError ? 'reset' : 'in order'
  })
  return heard
}

let bench: Bench
async function opened(): Promise<Bench> {
  bench = new Bench()
  await bench.open()
  return bench
}
afterEach(() => bench.close())

describe('TcpProxy', () => {
  it('passes on every byte, in both directions', async () => {
    const { client, server } = await (await opened()).pair()
    const sent = randomBytes(3_000_000)
    client.socket.write(sent)
    server.socket.write('answer')
    await eventually(() => server.text.length === sent.length && client.text === 'answer')
    const digest = (bytes: Buffer) => createHash('sha256').update(bytes).digest('hex')
    expect(digest(Buffer.from(server.text, 'latin1'))).toBe(digest(sent))
  })

  it('passes on the end of one direction and keeps the other', async () => {
    const { client, server } = await (await opened()).pair()
    client.socket.end('question')
    await eventually(() => server.ended)
    server.socket.end('answer')
    await eventually(() => client.closed !== 'no')
    expect([server.text, client.text, client.closed]).toEqual(['question', 'answer', 'in order'])
    await eventually(() => bench.proxy.connections === 0)
  })

  it('holds up a sender whose receiver does not read', async () => {
    const { server } = await (await opened()).pair()
    server.socket.pause()
    const [socket] = bench.clients as [Socket]
    let sent = 0
    const chunk = Buffer.alloc(1 << 16)
    const limit = 64 << 20
    while (sent < limit && socket.writableLength < 8 << 20) {
      socket.write(chunk)
      sent += chunk.length
      await new Promise((resolve) => setImmediate(resolve))
    }
    expect(sent).toBeLessThan(limit)
    server.socket.resume()
    await eventually(() => server.text.length === sent)
  })

  it('cuts what is open with a reset on both sides, and goes on taking connections', async () => {
    const { client, server } = await (await opened()).pair()
    bench.proxy.cut()
    await eventually(() => client.closed !== 'no' && server.closed !== 'no')
    expect([client.closed, server.closed]).toEqual(['reset', 'reset'])
    const again = await bench.pair()
    again.client.socket.write('again')
    await eventually(() => again.server.text === 'again')
  })

  it('cuts what it is just passing the end of', async () => {
    const { server } = await (await opened()).pair()
    bench.proxy.halfClose('server')
    bench.proxy.cut()
    await eventually(() => server.closed === 'reset')
    await eventually(() => bench.proxy.connections === 0)
  })

  it('passes on a reset', async () => {
    const { client, server } = await (await opened()).pair()
    server.socket.resetAndDestroy()
    await eventually(() => client.closed === 'reset')
    await eventually(() => bench.proxy.connections === 0)
  })

  it('refuses new connections and keeps those that are open', async () => {
    const { client, server } = await (await opened()).pair()
    bench.proxy.refuse()
    const refused = bench.client()
    await eventually(() => refused.closed === 'reset')
    client.socket.write('still here')
    await eventually(() => server.text === 'still here')
    bench.proxy.accept()
    await bench.pair()
  })

  it('resets a client whose server is not there', async () => {
    await opened()
    bench.server.close()
    await once(bench.server, 'close')
    const client = bench.client()
    await eventually(() => client.closed === 'reset')
  })

  it('delays, and keeps the order also when the delay ends', async () => {
    const { client, server } = await (await opened()).pair()
    bench.proxy.delay(100)
    const beganMs = performance.now()
    client.socket.write('first ')
    await new Promise((resolve) => setTimeout(resolve, 20))
    bench.proxy.delay(0)
    client.socket.end('second')
    await eventually(() => server.ended)
    expect(server.text).toBe('first second')
    expect(performance.now() - beganMs).toBeGreaterThan(95)
  })

  it('half-closes: one side sees the end, and is still heard', async () => {
    const { client, server } = await (await opened()).pair()
    bench.proxy.halfClose('server')
    await eventually(() => client.ended)
    server.socket.write('unheard')
    client.socket.write('heard')
    await eventually(() => server.text === 'heard')
    expect(client.text).toBe('')
  })

  it('swallows one direction or both, takes connections meanwhile, and resets on healing what has lost bytes', async () => {
    const { client, server } = await (await opened()).pair()
    const untouched = await bench.pair()
    bench.proxy.blackHole('client')
    client.socket.write('lost')
    server.socket.write('passed')
    await eventually(() => client.text === 'passed')
    bench.proxy.blackHole()
    const fresh = bench.client()
    fresh.socket.write('lost, too')
    await eventually(() => bench.proxy.connections === 3)
    // Goes the same way after the bytes that are lost, so that they have arrived where they are.
    await new Promise((resolve) => setTimeout(resolve, 20))
    bench.proxy.heal()
    await eventually(() => client.closed === 'reset' && fresh.closed === 'reset')
    expect([server.text, untouched.client.closed]).toEqual(['', 'no'])
    untouched.client.socket.write('whole')
    await eventually(() => untouched.server.text === 'whole')
  })

  it('is gone for good once it is destroyed, also twice', async () => {
    const { client } = await (await opened()).pair()
    const { proxy } = bench
    await Promise.all([proxy.destroy(), proxy.destroy()])
    await eventually(() => client.closed === 'reset' && proxy.connections === 0)
    await expect(once(connect(proxy.port, '127.0.0.1'), 'connect')).rejects.toThrow(/ECONNREFUSED/)
    await expect(proxy.listen()).rejects.toThrow(/started before/)
  })

  it('puts its own address into a URL', async () => {
    const { proxy } = await opened()
    const own = `127.0.0.1:${proxy.port}`
    expect(proxy.url('amqp://user:p%40ss@broker.example:5672/vhost?heartbeat=1')).toBe(
      `amqp://user:p%40ss@${own}/vhost?heartbeat=1`,
    )
    expect(proxy.url('redis://localhost:6379')).toBe(`redis://${own}`)
    expect(proxy.url('localhost:9092')).toBe(own)
  })
})
