import { type ChildProcess, spawn } from 'node:child_process'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type AddressInfo, connect, createServer } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { fileURLToPath } from 'node:url'
import { gzipSync } from 'node:zlib'
import { type ErrorCode, type IncomingCall, PosthasteError, type RunningCall, type Schema } from '@posthaste/contracts'
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from 'vitest'
import { link } from '../src/calls/link.ts'
import { systemHost } from '../src/calls/system-host.ts'
import type { LinkListener } from '../src/connection/options.ts'
import {
  compressedMessage,
  type LinkStream,
  lastMessage,
  type StreamAcceptor,
  type StreamSink,
} from '../src/connection/types.ts'
import { listen } from '../src/server/listen.ts'
import { Authority } from './certificates.ts'

/*
 * A client that was written from docs/reference/link.md by itself, against the server here. Where there is no Python the
 * tests are skipped; in CI they fail, so that nobody takes the silence for consent.
 */

const folder = fileURLToPath(new URL('../../../../examples/link-python/', import.meta.url))

interface Outcome {
  readonly status: number | null
  readonly out: readonly unknown[]
  readonly text: string
  readonly error: {
    readonly code: ErrorCode
    readonly message: string
    readonly details: unknown
    readonly untouched: boolean
  }
}

interface Meanwhile {
  readonly input?: string
  /** Told of the process once it runs. */
  readonly began?: (child: ChildProcess) => void
}

const python = (script: string, args: readonly string[], { input = '', began }: Meanwhile = {}): Promise<Outcome> =>
  new Promise((resolve, reject) => {
    const child = spawn('python3', ['-B', script, ...args], { cwd: folder, timeout: 30_000 })
    let text = ''
    let errors = ''
    child.stdout.setEncoding('utf8').on('data', (chunk: string) => (text += chunk))
    child.stderr.setEncoding('utf8').on('data', (chunk: string) => (errors += chunk))
    child.on('error', reject)
    child.on('close', (status) => {
      const told = errors.startsWith('{') ? (JSON.parse(errors) as Outcome['error']) : undefined
      if (errors !== '' && told === undefined)
        return reject(new Error(`python3 ${script}: ${status}\n${errors.slice(-4000)}`))
      const lines = text.split('\n').filter((line) => /^[[{"\d]/.test(line))
      const out = script === 'link_call.py' ? lines.map((line) => JSON.parse(line) as unknown) : []
      resolve({ status, out, text, error: told as Outcome['error'] })
    })
    child.stdin.end(input)
    began?.(child)
  })

const hasPython = await python('-c', ['pass']).then(
  () => true,
  () => false,
)

/** Methods, in the order in which they were called. */
const called: string[] = []
/** What the server has been told, by method. */
const cancelled: { readonly method: string; readonly code: ErrorCode }[] = []

/** Sends numbers for as long as they are taken, and remembers how many it sent. */
class Counting implements StreamSink {
  sent = 0
  #to = 0
  readonly #stream: LinkStream
  #over = false

  constructor(stream: LinkStream) {
    this.#stream = stream
  }

  message(body: Uint8Array): void {
    this.#to = (JSON.parse(Buffer.from(body).toString()) as { to: number }).to
    this.#send()
  }

  ended(): void {}

  failed(error: PosthasteError): void {
    this.#over = true
    cancelled.push({ method: 'count', code: error.code })
    this.#stream.end()
  }

  writable(): void {
    this.#send()
  }

  #send(): void {
    while (!this.#over && this.sent < this.#to) {
      const item = { number: this.sent++, padding: 'x'.repeat(200) }
      if (!this.#stream.send(Buffer.from(JSON.stringify(item)))) return
    }
    if (!this.#over) this.#stream.end()
  }
}

/** Answers one message with what a function makes of it. */
function answering(stream: LinkStream, method: string, answer: (input: unknown) => unknown): StreamSink {
  return {
    message(body, flags) {
      expect(flags & lastMessage).toBe(lastMessage)
      try {
        const output = answer(JSON.parse(Buffer.from(body).toString()))
        if (output !== undefined) stream.send(Buffer.from(JSON.stringify(output)), lastMessage)
      } catch (error) {
        stream.fail(error as PosthasteError)
      }
    },
    ended: () => stream.end(),
    failed: (error) => {
      cancelled.push({ method, code: error.code })
      stream.end()
    },
    writable() {},
  }
}

const anything: Schema = { '~standard': { version: 1, vendor: 'test', validate: (value) => ({ value }) } }

/** Answers with a long text, compressed. */
function zipping(stream: LinkStream): StreamSink {
  const body = gzipSync(JSON.stringify('z'.repeat(100_000)))
  return {
    message: () => stream.send(body, lastMessage | compressedMessage),
    ended() {},
    failed: () => stream.end(),
    writable() {},
  }
}

const acceptor: StreamAcceptor = ({ method, metadata, timeoutMs, codec, peer }, stream) => {
  expect(codec).toBe('application/json')
  called.push(method)
  if (method === 'test/count') {
    const counting = new Counting(stream)
    counts.push(counting)
    return counting
  }
  if (method === 'test/zip') return zipping(stream)
  return answering(stream, method, (input) => {
    if (method === 'test/echo') return { input, metadata, timed: timeoutMs !== undefined, user: peer.user }
    if (method === 'test/length') return (input as string).length
    if (method === 'test/repeat') return 'é'.repeat(input as number)
    if (method === 'test/sleep') return undefined
    throw new PosthasteError('CONFLICT', 'sold out', { verdict: 'retryable', details: { left: 2 } })
  })
}

let listener: LinkListener
let unix: LinkListener
let scratch: string
const counts: Counting[] = []

describe.skipIf(!hasPython && process.env.CI === undefined)('a client in Python that was written from the page', () => {
  const call = (method: string, args: readonly string[] = [], meanwhile: Meanwhile = {}) =>
    python('link_call.py', [listener.url, method, ...args, '--token', 's3cret'], meanwhile)

  beforeAll(async () => {
    expect(hasPython, 'python3 is needed in CI').toBe(true)
    scratch = mkdtempSync(join(tmpdir(), 'link-python-'))
    const options = {
      codecs: ['application/msgpack', 'application/json'],
      authenticate: ({ token }: { token: string | undefined }) => {
        if (token !== 's3cret') throw new PosthasteError('UNAUTHENTICATED', 'no such token')
        return { user: 'python' }
      },
    }
    listener = await listen({ ...options, port: 0 }, acceptor, systemHost)
    unix = await listen({ codecs: ['application/json'], path: join(scratch, 'link.sock') }, acceptor, systemHost)
  })

  afterAll(async () => {
    await Promise.all([listener?.drain(0), unix?.drain(0)])
    if (scratch !== undefined) rmSync(scratch, { recursive: true, force: true })
  })

  it('reads and writes the vectors of the page', async () => {
    const { status, text } = await python('check_vectors.py', [])
    expect(text).toMatch(/^\d+ frames, \d+ violations: 0 faults\n$/)
    expect(status).toBe(0)
  })

  it('makes a call, with metadata and a deadline', async () => {
    const { out } = await call('test/echo', ['{"a":[1,"ü"]}', '--metadata', 'x-tenant=nörd', '--timeout', '20'])
    expect(out).toEqual([{ input: { a: [1, 'ü'] }, metadata: { 'x-tenant': 'nörd' }, timed: true, user: 'python' }])
  })

  it('makes a call over a Unix socket', async () => {
    const { out } = await python('link_call.py', [unix.url, 'test/echo', '1'])
    expect(out).toEqual([{ input: 1, metadata: {}, timed: false }])
  })

  it('makes a call without an input that has no answer', async () => {
    expect(await call('test/sleep')).toMatchObject({ status: 0, out: [] })
  })

  it('takes a stream of many windows to its end, in order', async () => {
    const { out } = await call('test/count', ['{"to":5000}'])
    expect(out.map((item) => (item as { number: number }).number)).toEqual(Array.from({ length: 5000 }, (_, at) => at))
  })

  it('holds back a server that sends more than is taken, and cancels what it does not want', async () => {
    const { out } = await call('test/count', ['{"to":1e9}', '--take', '3'])
    expect(out).toHaveLength(3)
    await expect.poll(() => cancelled).toContainEqual({ method: 'count', code: 'CANCELLED' })
    expect(counts.at(-1)?.sent).toBeLessThan(20_000)
  })

  it('sends and takes messages larger than a window, in pieces', async () => {
    const large = JSON.stringify('y'.repeat(3_000_000))
    const [sent, taken] = await Promise.all([
      call('test/length', ['-'], { input: large }),
      call('test/repeat', ['1000000']),
    ])
    expect(sent.out).toEqual([3_000_000])
    expect(taken.out).toEqual(['é'.repeat(1_000_000)])
  })

  it('takes what is compressed', async () => {
    expect((await call('test/zip', ['1'])).out).toEqual(['z'.repeat(100_000)])
  })

  it('asks how an application is, and calls a method of it', async () => {
    const app = link({ port: 0 })
    const contract = { input: anything, output: anything }
    const dispatch = ({ payload, headers, timeoutMs }: IncomingCall): RunningCall => ({
      result: Promise.resolve({ payload, headers, timed: timeoutMs !== undefined }),
      cancel() {},
      unfinished: () => undefined,
    })
    const [url = ''] = await app.start([{ service: 'shop.Stock', method: 'check', contract, dispatch }], systemHost)
    onTestFinished(() => app.stop(0))
    const args = ['{"sku":"a-1"}', '--timeout', '20', '--metadata', 'x-tenant=north']
    const [health, stock, missing] = await Promise.all([
      python('link_call.py', [url, 'posthaste.Link/health']),
      python('link_call.py', [url, 'shop.Stock/check', ...args]),
      python('link_call.py', [url, 'shop.Stock/count']),
    ])
    expect(health.out).toEqual([{ status: 'ok' }])
    expect(stock.out).toEqual([{ payload: { sku: 'a-1' }, headers: { 'x-tenant': 'north' }, timed: true }])
    expect(missing.error).toMatchObject({ code: 'UNIMPLEMENTED' })
  })

  it('is told what went wrong', async () => {
    const { status, error } = await call('test/fail', ['1'])
    expect(status).toBe(1)
    expect(error).toMatchObject({ code: 'CONFLICT', message: 'sold out', verdict: 'retryable', details: { left: 2 } })
  })

  it('gives up at its deadline, and the server is told why', async () => {
    const { status, error } = await call('test/sleep', ['1', '--timeout', '0.3'])
    expect({ status, code: error.code }).toEqual({ status: 4, code: 'DEADLINE_EXCEEDED' })
    await expect.poll(() => cancelled).toContainEqual({ method: 'test/sleep', code: 'DEADLINE_EXCEEDED' })
  })

  it('makes a call over TLS, and none to a server whose certificate it does not know', async () => {
    const authority = new Authority('link-python-ca')
    const tls = authority.sign('server')
    const secure = await listen({ codecs: ['application/json'], url: 'links://127.0.0.1:0', tls }, acceptor, systemHost)
    onTestFinished(() => secure.drain(0))
    writeFileSync(join(scratch, 'ca.pem'), authority.ca)
    const args = [secure.url, 'test/repeat', '3000']
    expect((await python('link_call.py', [...args, '--ca', join(scratch, 'ca.pem')])).out).toEqual(['é'.repeat(3000)])
    const unreached = { status: 4, error: { code: 'UNAVAILABLE', untouched: true } }
    const stranger = await python('link_call.py', args)
    expect(stranger).toMatchObject(unreached)
    expect(stranger.error.message).toMatch(/^no TLS with links:.*(certificate|self.signed)/)
    const [plain, disguised] = await Promise.all([
      python('link_call.py', [secure.url.replace('links:', 'link:'), 'test/echo']),
      python('link_call.py', [listener.url.replace('link:', 'links:'), 'test/echo']),
    ])
    expect([plain, disguised]).toMatchObject([unreached, unreached])
  })

  it('is not let in with a wrong token', async () => {
    const { status, error } = await python('link_call.py', [listener.url, 'test/echo', '1', '--token', 'guess'])
    expect(status).toBe(5)
    expect(error).toMatchObject({ code: 'UNAUTHENTICATED', message: 'no such token' })
  })

  it('says in a line that nobody is there, and that nothing was done', async () => {
    const urls = ['link://127.0.0.1:1', 'links://127.0.0.1:1', 'link://host.invalid', 'link+unix:///not/there.sock']
    for (const { status, error } of await Promise.all(urls.map((url) => python('link_call.py', [url, 'test/echo'])))) {
      expect({ status, code: error.code }).toEqual({ status: 4, code: 'UNAVAILABLE' })
      expect(error.message).toMatch(/^cannot reach link.*: \S/)
      expect(error.untouched).toBe(true)
    }
  })

  it('says in a line that the server went in mid-call, which may have done something', async () => {
    const before = called.length
    const between = createServer((near) => {
      const far = connect(Number(new URL(listener.url).port), '127.0.0.1')
      for (const socket of [near, far]) socket.on('error', () => undefined)
      near.pipe(far).pipe(near)
      void expect
        .poll(() => called.length)
        .toBeGreaterThan(before)
        .then(() => near.resetAndDestroy())
    }).listen(0, '127.0.0.1')
    onTestFinished(() => void between.close())
    await new Promise((resolve) => between.once('listening', resolve))
    const url = `link://127.0.0.1:${(between.address() as AddressInfo).port}`
    const { status, out, error } = await python('link_call.py', [url, 'test/sleep', '1', '--token', 's3cret'])
    expect({ status, out, code: error.code }).toEqual({ status: 4, out: [], code: 'UNAVAILABLE' })
    expect(error.untouched).toBe(false)
  })

  it('ends quietly with Ctrl-C, and where nobody reads what it prints', async () => {
    const args = ['{"to":1e9}']
    const atFirst = (act: (child: ChildProcess) => void): Meanwhile => ({
      began: (child) => child.stdout?.once('data', () => act(child)),
    })
    const stopped = await call(
      'test/count',
      args,
      atFirst((child) => child.kill('SIGINT')),
    )
    expect(stopped).toMatchObject({ status: 130, error: undefined })
    const left = await call(
      'test/count',
      args,
      atFirst((child) => child.stdout?.destroy()),
    )
    expect(left).toMatchObject({ status: 0, error: undefined })
  })

  it('refuses a wrong command line without a traceback', async () => {
    const wrong: readonly (readonly [RegExp, ...string[]])[] = [
      [/no URL of link/, 'ftp://127.0.0.1'],
      [/Port out of range/, 'link://127.0.0.1:99999'],
      [/the input is not JSON/, 'link://127.0.0.1', '{'],
      [/'x' is not NAME=VALUE/, 'link://127.0.0.1', '--metadata', 'x'],
      [/lower-case visible ASCII/, 'link://127.0.0.1', '--metadata', 'X=1'],
      [/'no' is no number of seconds/, 'link://127.0.0.1', '--timeout', 'no'],
      [/No such file/, 'link://127.0.0.1', '--ca', '/not/there.pem'],
    ]
    const refuse = async ([why, url = '', ...args]: (typeof wrong)[number]): Promise<void> => {
      const refused = await python('link_call.py', [url, 'test/echo', ...args]).catch(({ message }: Error) => message)
      expect(refused).toMatch(/^python3 link_call.py: 2\nusage: /)
      expect(refused).toMatch(why)
    }
    await Promise.all(wrong.map(refuse))
  })
})
