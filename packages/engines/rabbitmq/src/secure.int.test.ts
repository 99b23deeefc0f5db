import { readFileSync } from 'node:fs'
import { describe, expect, it } from 'vitest'
import { freshPrefix } from '../test/installation.ts'
import { remedy, server, TestHost } from '../test/rig.ts'
import { rabbitmq } from './engine.ts'
import type { RabbitmqOptions } from './options.ts'

const { tlsUrl, caFile, certFile, keyFile, username, password } = server ?? {}
const read = (file: string | undefined) => (file === undefined ? undefined : readFileSync(file, 'utf8'))

describe.skipIf(tlsUrl === undefined)(`a server with TLS and credentials (${remedy})`, () => {
  const tls = { ca: read(caFile), cert: read(certFile), key: read(keyFile) }

  async function open(options: Partial<RabbitmqOptions>) {
    const own = { url: tlsUrl ?? '', prefix: freshPrefix(), tls, username, password, timeoutMs: 3_000 }
    const engine = rabbitmq({ ...own, ...options })
    try {
      await engine.open(new TestHost())
      return await engine.publish([{ id: '1', channel: 'none', headers: {}, body: new Uint8Array(0) }])
    } finally {
      await engine.close()
    }
  }

  it('is used with both', async () => {
    expect(await open({})).toMatchObject([{ ok: false, error: { code: 'NOT_FOUND' } }])
  })

  it('refuses a wrong password, which is not told', async () => {
    const failure = await open({ password: 'wrong-secret' }).catch((thrown: unknown) => thrown)
    expect(failure).toMatchObject({ code: 'UNAUTHENTICATED' })
    expect(String(failure)).not.toContain('wrong-secret')
  })

  it('is not trusted without its authority', async () => {
    // At once: the time limit is longer than the test may take.
    const refused = {
      code: 'UNAVAILABLE',
      message: expect.stringContaining('certificate'),
      remedy: expect.stringContaining('tls.ca'),
    }
    await expect(open({ tls: {}, timeoutMs: 600_000 })).rejects.toMatchObject(refused)
  })

  it('is not trusted under another name', async () => {
    const refused = { code: 'UNAVAILABLE', remedy: expect.stringContaining('tls.serverName') }
    await expect(open({ tls: { ...tls, serverName: 'elsewhere.test' } })).rejects.toMatchObject(refused)
  })
})
