import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs'
import type { AddressInfo } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { connect, createServer, type TLSSocket } from 'node:tls'
import { afterAll, beforeAll, describe, expect, it } from 'vitest'
import { findExecutable } from './sources/path.ts'
import { type Certificates, certificates } from './tls.ts'

const openssl = findExecutable('openssl')

describe.skipIf(openssl === undefined && process.env.CI === undefined)('certificates', () => {
  let root: string
  let made: Certificates

  beforeAll(() => {
    root = mkdtempSync(join(tmpdir(), 'engine-tls-'))
    made = certificates(join(root, 'tls')) as Certificates
  })

  afterAll(() => rmSync(root, { recursive: true }))

  const read = (file: string): string => readFileSync(file, 'utf8')

  it.each(['localhost', '127.0.0.1'])('are good for servers and clients on %s', async (host) => {
    const server = createServer({
      cert: read(made.serverCertFile),
      key: read(made.serverKeyFile),
      ca: read(made.caFile),
      requestCert: true,
      rejectUnauthorized: true,
    }).listen(0)
    await once(server, 'listening')
    const accepted = once(server, 'secureConnection') as Promise<[TLSSocket]>
    const { port } = server.address() as AddressInfo
    const client = connect({ host, port, ca: read(made.caFile), cert: read(made.certFile), key: read(made.keyFile) })
    try {
      await once(client, 'secureConnect')
      expect((await accepted)[0].getPeerCertificate().subject.CN).toBe('client')
    } finally {
      client.destroy()
      server.close()
    }
  })

  it('are made once', () => {
    const before = read(made.serverCertFile)
    expect(certificates(join(root, 'tls'))).toEqual(made)
    expect(read(made.serverCertFile)).toBe(before)
  })

  it('have keys in PKCS #8, and for the Java ones together with the certificate, for the user alone', () => {
    expect(read(made.serverKeyFile)).toMatch(/^-----BEGIN PRIVATE KEY-----/)
    expect(read(made.serverPemFile)).toBe(read(made.serverKeyFile) + read(made.serverCertFile))
    expect(statSync(join(root, 'tls')).mode & 0o077).toBe(0)
  })
})
