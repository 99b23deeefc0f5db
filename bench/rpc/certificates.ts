import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import process from 'node:process'

/** A key and its certificate for loopback, signed by itself, as PEM. */
export interface Certificates {
  readonly key: string
  readonly cert: string
  readonly ca: string
}

/** What the run has made for both sides. @throws Error outside of a run */
export function certificates(): Certificates {
  const dir = process.env.BENCH_RPC_CERTIFICATES
  if (dir === undefined) throw new Error('the run has made no certificates')
  const cert = readFileSync(join(dir, 'cert.pem'), 'utf8')
  return { key: readFileSync(join(dir, 'key.pem'), 'utf8'), cert, ca: cert }
}

/** Makes certificates for a run; undefined where openssl is missing. Remove the folder afterwards. */
export function makeCertificates(): { readonly dir: string; remove(): void } | undefined {
  const made = mkdtempSync(join(tmpdir(), 'posthaste-bench-'))
  const remove = (): void => rmSync(made, { recursive: true, force: true })
  const args = [
    ...['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'],
    ...['-keyout', join(made, 'key.pem'), '-out', join(made, 'cert.pem'), '-subj', '/CN=localhost'],
    ...['-addext', 'subjectAltName=DNS:localhost,IP:127.0.0.1'],
  ]
  try {
    execFileSync('openssl', args, { stdio: 'ignore' })
    return { dir: made, remove }
  } catch {
    remove()
    return undefined
  }
}
