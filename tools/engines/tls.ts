import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { findExecutable } from './sources/path.ts'

/** Certificates of our own, as PEM files: one authority, one certificate for servers on loopback, one for clients. */
export interface Certificates {
  readonly caFile: string
  readonly serverCertFile: string
  readonly serverKeyFile: string
  /** The server's key and certificate in one file, as the Java ones want them. */
  readonly serverPemFile: string
  readonly certFile: string
  readonly keyFile: string
}

const days = '3650'
const serverExtensions = 'subjectAltName=DNS:localhost,IP:127.0.0.1,IP:::1\nextendedKeyUsage=serverAuth\n'
const clientExtensions = 'extendedKeyUsage=clientAuth\n'
const authorityConfig = `[req]
distinguished_name=name
x509_extensions=authority
prompt=no
[name]
CN=Posthaste test authority
[authority]
basicConstraints=critical,CA:TRUE
keyUsage=critical,keyCertSign,cRLSign
subjectKeyIdentifier=hash
`

/** The certificates in `dir`, made there if they are not; `undefined` where openssl is missing. */
export function certificates(dir: string): Certificates | undefined {
  const files = filesIn(dir)
  if (existsSync(files.serverPemFile)) return files
  const openssl = findExecutable('openssl')
  if (!openssl) return undefined
  // Made aside and moved, so that certificates are there as a whole or not at all.
  const draft = `${dir}.draft`
  rmSync(draft, { recursive: true, force: true })
  mkdirSync(draft, { recursive: true, mode: 0o700 })
  make(openssl, draft)
  rmSync(dir, { recursive: true, force: true })
  renameSync(draft, dir)
  return files
}

function filesIn(dir: string): Certificates {
  return {
    caFile: join(dir, 'ca.pem'),
    serverCertFile: join(dir, 'server.pem'),
    serverKeyFile: join(dir, 'server.key'),
    serverPemFile: join(dir, 'server.keystore.pem'),
    certFile: join(dir, 'client.pem'),
    keyFile: join(dir, 'client.key'),
  }
}

function make(openssl: string, dir: string): void {
  const run = (...args: readonly string[]): void => {
    execFileSync(openssl, args, { cwd: dir, stdio: ['ignore', 'ignore', 'pipe'] })
  }
  writeFileSync(join(dir, 'ca.conf'), authorityConfig)
  run(...'req -x509 -newkey rsa:2048 -nodes -config ca.conf -keyout ca.key -out ca.pem -days'.split(' '), days)
  for (const [name, extensions] of [
    ['server', serverExtensions],
    ['client', clientExtensions],
  ] as const) {
    writeFileSync(join(dir, `${name}.ext`), extensions)
    run(...`req -newkey rsa:2048 -nodes -keyout ${name}.key -out ${name}.csr -subj /CN=${name}`.split(' '))
    const signed = `x509 -req -in ${name}.csr -CA ca.pem -CAkey ca.key -CAcreateserial -extfile ${name}.ext -out ${name}.pem`
    run(...signed.split(' '), '-days', days)
  }
  const [key, cert] = ['server.key', 'server.pem'].map((name) => readFileSync(join(dir, name), 'utf8'))
  writeFileSync(join(dir, 'server.keystore.pem'), `${key}${cert}`, { mode: 0o600 })
}
