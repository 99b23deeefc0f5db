import { readFileSync } from 'node:fs'
import { runningServer, TcpProxy } from '@posthaste/conformance'
import { PosthasteError } from '@posthaste/contracts'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { Rig, servers, until } from '../test/rig.ts'
import { Link } from './link.ts'
import { type NatsOptions, settingsOf } from './options.ts'

const server = runningServer('nats')

async function codeOf(opening: Promise<unknown>): Promise<string> {
  const thrown = await opening.then(
    () => undefined,
    (reason: unknown) => reason,
  )
  return PosthasteError.is(thrown) ? thrown.code : String(thrown)
}

describe('a connection with TLS and credentials', () => {
  const { tlsUrl, caFile, username: user, password, certFile, keyFile } = server ?? {}
  if (server === undefined || tlsUrl === undefined || caFile === undefined || user === undefined) {
    it('needs a server', (context) => context.skip('start it with: npm run engines -- up nats'))
    return
  }
  const tls = {
    ca: readFileSync(caFile, 'utf8'),
    ...(certFile && keyFile ? { cert: readFileSync(certFile, 'utf8'), key: readFileSync(keyFile, 'utf8') } : {}),
  }
  const trusted: Partial<NatsOptions> = { url: tlsUrl, tls, user, password, timeoutMs: 1_000 }
  let rig: Rig
  beforeEach(() => {
    rig = new Rig(server.url)
  })
  afterEach(() => rig.end())

  it('is made, and carries messages', async () => {
    const engine = await rig.open(trusted)
    await engine.declare({ channels: [{ name: 'c', kind: 'queue', keyed: false }], groups: [] })
    const body = new Uint8Array(1)
    expect(await engine.publish([{ id: '1', channel: 'c', headers: {}, body }])).toEqual([{ ok: true }])
    expect(rig.states).toEqual(['connected'])
  })

  it('takes credentials from the url, too', async () => {
    const { host } = new URL(tlsUrl)
    const url = `tls://${encodeURIComponent(user)}:${encodeURIComponent(password ?? '')}@${host}`
    await rig.open({ url, tls, timeoutMs: 1_000 })
    expect(rig.states).toEqual(['connected'])
  })

  it('is refused where the password is wrong, without telling it', async () => {
    const opening = rig.open({ ...trusted, password: 's3cret' })
    expect(await codeOf(opening)).toBe('UNAUTHENTICATED')
    await expect(opening).rejects.not.toThrow('s3cret')
  })

  it('is not made to a server whose certificate nobody vouches for', async () => {
    // At once: the time limit is longer than the test may take.
    const opening = rig.open({ ...trusted, tls: {}, timeoutMs: 600_000 })
    await expect(opening).rejects.toMatchObject({ code: 'UNAVAILABLE', remedy: expect.stringContaining('tls.ca') })
  })
})

it('is given up within the time limit where no server is', async () => {
  const rig = new Rig('nats://127.0.0.1:1')
  expect(await codeOf(rig.open({ timeoutMs: 300 }))).toBe('UNAVAILABLE')
})

describe.each(servers)('a connection to $name', ({ name, server: running }) => {
  if (running === undefined) {
    it('needs a server', (context) => context.skip(`start it with: npm run engines -- up ${name}`))
    return
  }

  it('asks again what it had asked before it was lost, long before the server is taken to be silent', async () => {
    const { hostname: host, port } = new URL(running.url)
    const proxy = new TcpProxy({ host, port: Number(port) })
    await proxy.listen()
    // Shorter than a request waits for its answer.
    const settings = settingsOf({ url: proxy.url(running.url), timeoutMs: 4_500 })
    const heard: string[] = []
    const onState = (state: string) => void heard.push(state)
    const link = new Link(settings, {
      clock: systemClock,
      log: silentLog,
      instance: 'link',
      random: () => 0.5,
      onState,
    })
    await link.open()
    proxy.blackHole()
    const asking = link.admin('account', (manager) => manager.getAccountInfo())
    proxy.cut()
    await until(() => heard.includes('lost'))
    proxy.heal()
    expect(await asking).toHaveProperty('streams')
    await link.close()
    await proxy.destroy()
  })
})
