import { execFileSync } from 'node:child_process'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import type { Methods, ServiceContract } from '@posthaste/contracts'
import { type App, type AppOptions, posthaste } from 'posthaste'
import { silentLog } from 'posthaste/pipeline'
import type { Client, ClientOptions, ServiceHandlers } from 'posthaste/rpc'
import { onTestFinished } from 'vitest'
import { link } from '../src/calls/link.ts'
import { linkClient } from '../src/calls/link-client.ts'
import type { LinkClientOptions, LinkOptions } from '../src/calls/options.ts'

type Serving<M extends Methods> = readonly [service: ServiceContract<M>, handlers: Handlers<M>]
type Handlers<M extends Methods> = Parameters<typeof serveOn<M>>[1]

function serveOn<M extends Methods>(service: ServiceContract<M>, handlers: ServiceHandlers<M>, app: App): void {
  app.serve(service, handlers)
}

/** An application that serves over link on a free port; closed when the test ends. */
export async function served<M extends Methods>(
  [service, handlers]: Serving<M>,
  options: LinkOptions = {},
  app: Partial<AppOptions> = {},
): Promise<{ readonly app: App; readonly url: string }> {
  const of = { name: 'server', log: silentLog, signals: false, graceMs: 2_000, ...app }
  const where = options.path === undefined && options.url === undefined ? { port: 0 } : {}
  const serving = posthaste({ ...of, transports: [link({ ...where, ...options })] })
  serveOn(service, handlers, serving)
  await serving.start()
  onTestFinished(() => serving.close())
  return { app: serving, url: serving.urls[0] as string }
}

/** A client of its own application; closed when the test ends. */
export async function client<M extends Methods>(
  service: ServiceContract<M>,
  target: string | LinkClientOptions,
  options: ClientOptions<M> = {},
): Promise<Client<M>> {
  const app = posthaste({ name: 'client', log: silentLog, signals: false, graceMs: 500 })
  const calling = app.client(service, { transport: linkClient(target), ...options })
  await app.start()
  onTestFinished(() => app.close())
  return calling
}

/** What a promise is rejected with. */
export async function errorOf(promise: PromiseLike<unknown>): Promise<unknown> {
  try {
    await promise
  } catch (error) {
    return error
  }
  throw new Error('it succeeded')
}

/** All items of a stream. */
export async function collected<T>(stream: AsyncIterable<T>): Promise<T[]> {
  const items: T[] = []
  for await (const item of stream) items.push(item)
  return items
}

/** Resolves when what is asked for has come about. */
export async function until(isSo: () => boolean): Promise<void> {
  const endsAtMs = performance.now() + 20_000
  while (!isSo()) {
    if (performance.now() > endsAtMs) throw new Error('it did not come about')
    await new Promise((resolve) => setTimeout(resolve, 5))
  }
}

/** Keys of an authority of its own, of a server on loopback, and of a client that it has signed for. */
export interface Keys {
  readonly ca: string
  readonly server: { readonly key: string; readonly cert: string }
  readonly client: { readonly key: string; readonly cert: string }
}

/** Makes keys with the machine's openssl; undefined where there is none. */
export function makeKeys(clientName: string): Keys | undefined {
  const dir = mkdtempSync(join(tmpdir(), 'posthaste-link-'))
  const run = (...args: readonly string[]): void =>
    void execFileSync('openssl', args, { cwd: dir, stdio: ['ignore', 'ignore', 'ignore'] })
  const read = (name: string): string => readFileSync(join(dir, name), 'utf8')
  const newKey = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes']
  const signed = (name: string, subject: string, extensions: string): void => {
    writeFileSync(join(dir, `${name}.ext`), extensions)
    run('req', '-new', ...newKey, '-keyout', `${name}.key`, '-out', `${name}.csr`, '-subj', `/CN=${subject}`)
    const by = ['-CA', 'ca.pem', '-CAkey', 'ca.key', '-CAcreateserial', '-days', '2', '-extfile', `${name}.ext`]
    run('x509', '-req', '-in', `${name}.csr`, ...by, '-out', `${name}.pem`)
  }
  try {
    run('req', '-x509', ...newKey, '-keyout', 'ca.key', '-out', 'ca.pem', '-subj', '/CN=test authority', '-days', '2')
    signed('server', 'localhost', 'subjectAltName=DNS:localhost,IP:127.0.0.1\n')
    signed('client', clientName, 'extendedKeyUsage=clientAuth\n')
    return {
      ca: read('ca.pem'),
      server: { key: read('server.key'), cert: read('server.pem') },
      client: { key: read('client.key'), cert: read('client.pem') },
    }
  } catch {
    return undefined
  } finally {
    rmSync(dir, { recursive: true, force: true })
  }
}
