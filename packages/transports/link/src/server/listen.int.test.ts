import { once } from 'node:events'
import { chmodSync, existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs'
import { createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createServer as createTlsServer } from 'node:tls'
import { describe, expect, it, onTestFinished } from 'vitest'
import { Authority } from '../../test/certificates.ts'
import { call, client, rawSocket, realHost, serve, stay, until } from '../../test/sockets.ts'
import type { LinkDialer } from '../connection/options.ts'
import { listen } from './listen.ts'
import { isSameToken } from './token.ts'

async function who(dialer: LinkDialer): Promise<Record<string, unknown>> {
  return JSON.parse(await call(dialer, '', { method: 'who' }))
}

function tempDir(): string {
  const dir = mkdtempSync(join(tmpdir(), 'link-'))
  onTestFinished(() => rmSync(dir, { recursive: true, force: true }))
  return dir
}

describe('Over TCP', () => {
  it('calls are answered, and the server knows from where', async () => {
    const listener = await serve()
    expect(listener.url).toMatch(/^link:\/\/127\.0\.0\.1:\d+$/)
    const dialer = client({ url: listener.url })
    expect(await call(dialer, 'hello')).toBe('hello')
    expect(await who(dialer)).toMatchObject({ address: '127.0.0.1' })
    expect(listener.connections).toBe(1)
    const large = 'x'.repeat(3_000_000)
    expect(await call(dialer, large)).toBe(large)
  })

  it('an address that is taken is reported', async () => {
    const listener = await serve()
    await expect(
      listen({ url: listener.url, codecs: ['application/json'] }, () => undefined as never, realHost),
    ).rejects.toThrow(/UNAVAILABLE.*EADDRINUSE/)
  })

  it('a client beyond the most connections is told so, and others go on', async () => {
    const listener = await serve({ connectionsMax: 2 })
    const [first, second, third] = [1, 2, 3].map(() => client({ url: listener.url })) as [
      LinkDialer,
      LinkDialer,
      LinkDialer,
    ]
    await Promise.all([first.ready(), second.ready()])
    await expect(third.ready()).rejects.toThrow(/OVERLOADED/)
    expect(await call(first, 'still')).toBe('still')
    await second.close()
    await until(() => listener.connections === 1)
  })
})

describe('A token', () => {
  it('lets in whom the server knows, with the rights it gives', async () => {
    const asked: (string | undefined)[] = []
    const listener = await serve({
      authenticate: ({ token }) => {
        asked.push(token)
        if (isSameToken(token, 's3cret')) return Promise.resolve({ user: 'orders', grants: ['publish'] })
        throw new Error('who are you?')
      },
    })
    const dialer = client({ url: listener.url, token: 's3cret' })
    expect(await who(dialer)).toMatchObject({ user: 'orders', grants: ['publish'] })
    const stranger = client({ url: listener.url, token: () => 'guess' })
    await expect(call(stranger, 'x')).rejects.toMatchObject({ code: 'INTERNAL', notSent: true })
    expect(asked).toEqual(['s3cret', 'guess'])
    expect(listener.connections).toBe(1)
  })

  it.each([
    ['nothing', undefined],
    ['nothing later', Promise.resolve(undefined)],
    ['no', false],
  ])('of which the server says %s lets nobody in', async (_, said) => {
    const listener = await serve({ authenticate: () => said as never })
    await expect(client({ url: listener.url, token: 'guess' }).ready()).rejects.toMatchObject({
      code: 'UNAUTHENTICATED',
    })
    expect(listener.connections).toBe(0)
  })

  it('compares in full, and with nothing where none was sent', () => {
    expect(isSameToken('s3cret', 's3cret')).toBe(true)
    expect(isSameToken('s3cre', 's3cret')).toBe(false)
    expect(isSameToken('', '')).toBe(true)
    expect(isSameToken(undefined, '')).toBe(false)
  })

  it('that cannot be had is a failure of the attempt', async () => {
    const listener = await serve()
    const dialer = client({
      url: listener.url,
      token: () => {
        throw new Error('the vault is sealed')
      },
    })
    await expect(dialer.ready()).rejects.toThrow(/UNAVAILABLE.*the vault is sealed/)
  })
})

describe('Over TLS', () => {
  it('calls are answered where the authority is trusted; otherwise the client says what to do', async () => {
    const authority = new Authority('one')
    const listener = await serve({ tls: authority.sign('server') })
    expect(listener.url).toMatch(/^links:/)
    const trusting = client({ url: listener.url, tls: { ca: authority.ca } })
    expect(await call(trusting, 'hello')).toBe('hello')
    const untrusting = client({ url: listener.url })
    await expect(call(untrusting, 'x')).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      notSent: true,
      remedy: expect.stringContaining('tls.ca'),
    })
    const misnaming = client({ url: listener.url, tls: { ca: authority.ca, serverName: 'other.test' } })
    await expect(misnaming.ready()).rejects.toMatchObject({ remedy: expect.stringContaining('tls.serverName') })
    const named = client({ url: listener.url, tls: { ca: authority.ca, serverName: 'posthaste.test' } })
    await named.ready()
  })

  it('a client must show a certificate where the server has an authority for them, and is known by it', async () => {
    const [authority, stranger] = [new Authority('ours'), new Authority('theirs')]
    const listener = await serve({ tls: { ...authority.sign('server'), ca: authority.ca } })
    const known = client({ url: listener.url, tls: { ca: authority.ca, ...authority.sign('billing') } })
    const peer = await who(known)
    expect(peer).toMatchObject({ user: 'billing', certificate: { commonName: 'billing' } })
    expect((peer.certificate as { fingerprint256: string }).fingerprint256).toMatch(/^([0-9A-F]{2}:){31}[0-9A-F]{2}$/)
    for (const own of [{}, stranger.sign('billing')]) {
      const unknown = client({ url: listener.url, tls: { ca: authority.ca, ...own } })
      await expect(unknown.ready()).rejects.toThrow(/UNAVAILABLE/)
    }
    expect(listener.connections).toBe(1)
  })

  it('an optional certificate is told only where it is trusted', async () => {
    const [authority, stranger] = [new Authority('ours'), new Authority('theirs')]
    const listener = await serve({
      tls: { ...authority.sign('server'), ca: authority.ca, clientCertificate: 'optional' },
    })
    for (const own of [{}, stranger.sign('billing')]) {
      const peer = await who(client({ url: listener.url, tls: { ca: authority.ca, ...own } }))
      expect([peer.user, peer.certificate]).toEqual([undefined, undefined])
    }
  })

  it('a server that speaks TLS but not link, and one without TLS, are told from one that does', async () => {
    const authority = new Authority('one')
    const other = createTlsServer(authority.sign('server'), (socket) => socket.on('error', () => {}))
    other.listen(0, '127.0.0.1')
    await once(other, 'listening')
    onTestFinished(() => {
      other.close()
    })
    const { port } = other.address() as { port: number }
    const dialer = client({ url: `links://127.0.0.1:${port}`, tls: { ca: authority.ca } })
    await expect(dialer.ready()).rejects.toThrow(/speaks TLS, but not link/)
    const plain = await serve()
    await expect(client({ url: plain.url.replace('link:', 'links:') }).ready()).rejects.toThrow(/UNAVAILABLE/)
    const secure = await serve({ tls: authority.sign('server') })
    await expect(client({ url: secure.url.replace('links:', 'link:') }).ready()).rejects.toThrow(
      /UNAVAILABLE|BODY_MALFORMED/,
    )
  })

  it('keys that do not fit each other are a mistake of the configuration', async () => {
    const authority = new Authority('one')
    const tls = { cert: authority.sign('a').cert, key: authority.sign('b').key }
    await expect(serve({ tls })).rejects.toThrow(/CONFIG_INVALID/)
  })
})

describe('Over a Unix socket', () => {
  it('calls are answered, for nobody but its owner, and the file goes with the server', async () => {
    const path = join(tempDir(), 'a.sock')
    const listener = await serve({ path })
    expect(listener.url).toBe(`link+unix://${path}`)
    expect(statSync(path).mode & 0o777).toBe(0o600)
    const dialer = client({ url: listener.url })
    expect(await call(dialer, 'hello')).toBe('hello')
    expect(await who(dialer)).toMatchObject({ address: '' })
    await listener.drain(0)
    expect(existsSync(path)).toBe(false)
  })

  it('a file that a killed server left is replaced; one that is in use, or is no socket, is not', async () => {
    const path = join(tempDir(), 'a.sock')
    await leaveStaleSocket(path)
    expect(statSync(path).isSocket()).toBe(true)
    const listener = await serve({ path, mode: 0o660 })
    expect(statSync(path).mode & 0o777).toBe(0o660)
    await expect(serve({ path })).rejects.toThrow(/CONFLICT.*listens/)
    expect(await call(client({ url: listener.url }), 'still')).toBe('still')
    const file = join(tempDir(), 'b.sock')
    writeFileSync(file, 'precious')
    chmodSync(file, 0o600)
    await expect(serve({ path: file })).rejects.toThrow(/CONFLICT.*no socket/)
  })
})

describe('Connections that nobody is made out for', () => {
  it('are bounded: the oldest goes, so that those who say HELLO get in', async () => {
    const listener = await serve({ handshakesMax: 4 })
    const idle = []
    for (let count = 0; count < 4; count++) idle.push(await rawSocket(listener.url))
    const closed = once(idle[0] as (typeof idle)[0], 'close')
    idle[0]?.resume()
    const dialer = client({ url: listener.url })
    expect(await call(dialer, 'in')).toBe('in')
    await closed
    // Let in, a client no longer counts: there is room for another who says nothing.
    await rawSocket(listener.url)
    expect(await call(dialer, 'still in')).toBe('still in')
  })

  it('do not survive a drain', async () => {
    const listener = await serve()
    const idle = await rawSocket(listener.url)
    idle.resume()
    const dialer = client({ url: listener.url })
    const { sink } = stay(dialer)
    await until(() => sink.messages.length === 1)
    const closed = once(idle, 'close')
    const drained = listener.drain(60_000)
    await closed
    expect(sink.error).toBeUndefined()
    await listener.drain(0)
    await drained
    await until(() => sink.error !== undefined)
    expect(sink.told.at(-1)).toBe('failed UNAVAILABLE')
    expect(listener.connections).toBe(0)
  })
})

/** What a killed server leaves: a socket file that nobody listens on. */
async function leaveStaleSocket(path: string): Promise<void> {
  const server = createServer()
  server.listen(`${path}.live`)
  await once(server, 'listening')
  const { linkSync } = await import('node:fs')
  linkSync(`${path}.live`, path)
  await new Promise((resolve) => server.close(resolve))
}
