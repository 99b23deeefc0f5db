import { once } from 'node:events'
import { PosthasteError, type ServedMethod } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { type Answer, gate, listening, raw, served } from '../test/rig.ts'

/** Polls wait for what happens, not for how fast a busy machine lets it. */
const patient = { timeout: 30_000 }

const echo: Answer = ({ payload }) => payload

describe('what is no clean HTTP', () => {
  it.each([
    [
      'content-length beside transfer-encoding',
      'POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 4\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n',
    ],
    ['two content-lengths', 'POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}x'],
    ['a length that is no number', 'POST /a HTTP/1.1\r\nhost: x\r\ncontent-length: 2x\r\n\r\n{}'],
    ['chunked not last', 'POST /a HTTP/1.1\r\nhost: x\r\ntransfer-encoding: chunked, gzip\r\n\r\n0\r\n\r\n'],
    ['a folded header', 'GET /a HTTP/1.1\r\nhost: x\r\nx-a: 1\r\n  2\r\n\r\n'],
    ['a bare line feed', 'GET /a HTTP/1.1\nhost: x\n\n'],
    ['a space before the colon', 'GET /a HTTP/1.1\r\nhost : x\r\n\r\n'],
    ['no host', 'GET /a HTTP/1.1\r\n\r\n'],
    ['two hosts', 'GET /a HTTP/1.1\r\nhost: x\r\nHost: y\r\n\r\n'],
    ['bytes of something else', '\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n'],
  ])('is answered with 400 and the end of the connection: %s', async (_, bytes) => {
    const { port } = await listening({}, served('GET /a', echo), served('POST /a', echo))
    const client = raw(port)
    client.send(bytes)
    // One more request behind it, as a smuggler would: it must never be answered.
    client.send('GET /a?smuggled=1 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    const received = await client.closed()
    expect(received).toMatch(/^HTTP\/1\.1 400 Bad Request\r\n/)
    expect(received).not.toMatch(/smuggled/)
  })

  it('is refused in the middle of a chunked body too', async () => {
    const { port } = await listening({}, served('POST /a', echo))
    const client = raw(port)
    client.send('POST /a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ntransfer-encoding: chunked\r\n\r\n')
    client.send('zz\r\n{}')
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 400 .*INVALID_ARGUMENT/s)
  })

  it('is not answered while an earlier request of the connection waits, which would take it for its own answer', async () => {
    const running = gate()
    const { port } = await listening(
      {},
      served('GET /slow', async () => running.opened),
    )
    const client = raw(port)
    client.send('GET /slow HTTP/1.1\r\nhost: x\r\n\r\nnonsense\r\n\r\n')
    expect(await client.closed()).toBe('')
  })
})

describe('limits', () => {
  it('answer headers over the limit with 431', async () => {
    const { port } = await listening({ headerBytesMax: 1_024 }, served('GET /a', echo))
    const client = raw(port)
    client.send(`GET /a HTTP/1.1\r\nhost: x\r\nx-big: ${'x'.repeat(100_000)}\r\n\r\n`)
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 431 .*"status":431/s)
  })

  it('answer an announced body over the limit with 413 before it is sent', async () => {
    const { port } = await listening({ bodyBytesMax: 10 }, served('POST /a', echo))
    const client = raw(port)
    client.send('POST /a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 11\r\n\r\n')
    const received = await client.until(/\}$/)
    expect(received).toMatch(/^HTTP\/1\.1 413 .*connection: close.*BODY_TOO_LARGE/is)
  })

  it('answer a chunked body with 413 as soon as it is over, and close without losing the answer', async () => {
    const { url } = await listening({ bodyBytesMax: 1_000 }, served('POST /a', echo))
    const body = new ReadableStream({
      pull(controller) {
        controller.enqueue(new Uint8Array(65_536).fill(0x20))
      },
    })
    const init = { method: 'POST', body, duplex: 'half', headers: { 'content-type': 'application/json' } } as const
    const response = await fetch(`${url}/a`, init)
    expect(response.status).toBe(413)
    expect(response.headers.get('connection')).toBe('close')
    expect(await response.json()).toMatchObject({ code: 'BODY_TOO_LARGE', details: { bodyBytesMax: 1_000 } })
  })

  it('let a client that sends a large body before it reads have its answer', async () => {
    const { port } = await listening({}, served('POST /a', echo))
    const client = raw(port)
    client.socket.pause()
    const head = 'POST /nothing HTTP/1.1\r\nhost: x\r\ncontent-length: 20000000\r\n\r\n'
    await new Promise((resolve) => client.socket.write(head + 'x'.repeat(20_000_000), resolve))
    client.socket.resume()
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 404 .*connection: close/is)
  })

  it('drop a client that takes too long over its headers, with 408', async () => {
    const { port } = await listening({ headersTimeoutMs: 100, requestTimeoutMs: 200 }, served('GET /a', echo))
    const client = raw(port)
    client.send('GET /a HTTP/1.1\r\nhost: x\r\nx-slow')
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 408 .*"status":408/s)
  })

  it('drop a client that takes too long over its body, with 408', async () => {
    let calls = 0
    const method = served('POST /a', () => calls++)
    const { port } = await listening({ headersTimeoutMs: 100, requestTimeoutMs: 200 }, method)
    const client = raw(port)
    client.send('POST /a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"a"')
    await client.until(/^HTTP\/1\.1 408 /)
    client.send(':1}    ')
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 408 /)
    expect(calls).toBe(0)
  })

  it('drop a client that says nothing at all', async () => {
    const { port } = await listening({ headersTimeoutMs: 100, requestTimeoutMs: 200 })
    await expect(raw(port).closed()).resolves.toMatch(/^(HTTP\/1\.1 408 |$)/)
  })

  it('drop a client that does not read its answer', async () => {
    const big = served('GET /big', () => 'x'.repeat(50_000_000))
    const { port, url } = await listening({ responseTimeoutMs: 100, connectionsMax: 1 }, big)
    const client = raw(port)
    client.socket.pause()
    client.send('GET /big HTTP/1.1\r\nhost: x\r\n\r\n')
    await once(client.socket, 'connect')
    // The one connection there may be is free again, and its client has not done anything for it.
    const status = (): Promise<number> =>
      fetch(`${url}/health`)
        .then((response) => response.status)
        .catch(() => 0)
    await expect.poll(status, patient).toBe(200)
    expect(client.received()).toBe('')
  })

  it('refuse with 503 what is over the number of requests', async () => {
    const running = gate()
    const { url } = await listening(
      { requestsMax: 1 },
      served('GET /slow', async () => running.opened),
    )
    const first = fetch(`${url}/slow`)
    await expect.poll(async () => (await fetch(`${url}/health`)).status, patient).toBe(503)
    const refused = await fetch(`${url}/health`)
    expect(refused.headers.get('retry-after')).toBe('1')
    expect(await refused.json()).toMatchObject({ code: 'OVERLOADED' })
    running.open()
    expect((await first).status).toBe(204)
    await expect.poll(async () => (await fetch(`${url}/health`)).status, patient).toBe(200)
  })

  it('close connections over the number of connections', async () => {
    const { port } = await listening({ connectionsMax: 1 }, served('GET /a', echo))
    const first = raw(port)
    first.send('GET /a HTTP/1.1\r\nhost: x\r\n\r\n')
    await first.until(/200 OK/)
    expect(await raw(port).closed()).toBe('')
  })
})

describe('a connection', () => {
  it('carries one request after another', async () => {
    const { port } = await listening({}, served('POST /a', echo))
    const client = raw(port)
    for (const n of [1, 2, 3]) {
      const body = `{"n":${n}}`
      client.send(`POST /a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 7\r\n\r\n${body}`)
      await client.until(new RegExp(`${body}$`))
    }
  })

  it('gets its pipelined answers in order, whichever is ready first', async () => {
    const slow = gate()
    const { port } = await listening(
      {},
      served('GET /slow', async () => {
        await slow.opened
        return 'first'
      }),
      served('GET /fast', () => {
        slow.open()
        return 'second'
      }),
    )
    const client = raw(port)
    client.send('GET /slow HTTP/1.1\r\nhost: x\r\n\r\nGET /fast HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    expect(await client.closed()).toMatch(/"first".*"second"/s)
  })

  it('is asked for the body only where the body is wanted', async () => {
    const { port } = await listening({ bodyBytesMax: 10 }, served('POST /a', echo))
    const head = (length: number, path = '/a'): string =>
      `POST ${path} HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\nexpect: 100-continue\r\ncontent-length: ${length}\r\n\r\n`
    const wanted = raw(port)
    wanted.send(head(2))
    await wanted.until(/^HTTP\/1\.1 100 Continue\r\n\r\n$/)
    wanted.send('{}')
    await wanted.until(/HTTP\/1\.1 200 OK/)
    const tooLarge = raw(port)
    tooLarge.send(head(11))
    expect(await tooLarge.until(/\}$/)).toMatch(/^HTTP\/1\.1 413 /)
    const unserved = raw(port)
    unserved.send(head(2, '/nothing'))
    expect(await unserved.until(/\}$/)).toMatch(/^HTTP\/1\.1 404 /)
  })

  it('cancels its calls when the client leaves, those that wait in its pipeline too', async () => {
    const reasons: unknown[] = []
    const begun = gate()
    const wait: Answer = async (_, gone) => {
      if (reasons.length === 0) begun.open()
      await gone.catch((reason: unknown) => reasons.push(reason))
    }
    const { port } = await listening({}, served('GET /a', wait), served('GET /b', wait))
    const client = raw(port)
    client.send('GET /a HTTP/1.1\r\nhost: x\r\n\r\nGET /b HTTP/1.1\r\nhost: x\r\n\r\n')
    await begun.opened
    client.socket.destroy()
    await expect.poll(() => reasons, patient).toHaveLength(2)
    for (const reason of reasons) expect(PosthasteError.is(reason, 'CANCELLED')).toBe(true)
  })

  it('counts a request no longer once its client has left, wherever in the pipeline it stood', async () => {
    const { port, url } = await listening(
      { requestsMax: 2 },
      served('GET /slow', (_, gone) => gone),
    )
    const client = raw(port)
    client.send('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n'.repeat(2))
    await expect.poll(async () => (await fetch(`${url}/health`)).status, patient).toBe(503)
    client.socket.destroy()
    await expect.poll(async () => (await fetch(`${url}/health`)).status, patient).toBe(200)
  })

  it('counts a request whose client has left for as long as its handler does not heed that', async () => {
    const running = gate()
    const cancelled = gate()
    const { port, url } = await listening(
      { requestsMax: 1 },
      served('GET /slow', async (_, gone) => {
        await gone.catch(cancelled.open)
        await running.opened
      }),
    )
    const client = raw(port)
    client.send('GET /slow HTTP/1.1\r\nhost: x\r\n\r\n')
    await expect.poll(async () => (await fetch(`${url}/health`)).status, patient).toBe(503)
    client.socket.destroy()
    await cancelled.opened
    // What else the end of the connection does happens in the turn that told the handler.
    await new Promise((resolve) => setImmediate(resolve))
    expect((await fetch(`${url}/health`)).status).toBe(503)
    running.open()
    await expect.poll(async () => (await fetch(`${url}/health`)).status, patient).toBe(200)
  })

  it('counts a request that was answered with a failure until the work for it has ended', async () => {
    const work = gate()
    let left: Promise<void> | undefined = work.opened
    const late: ServedMethod = {
      ...served('GET /late', echo),
      dispatch: () => ({
        result: Promise.reject(new PosthasteError('DEADLINE_EXCEEDED', 'too late')),
        cancel() {},
        unfinished: () => left,
      }),
    }
    const { url } = await listening({ requestsMax: 1 }, late)
    expect((await fetch(`${url}/late`)).status).toBe(504)
    expect((await fetch(`${url}/health`)).status).toBe(503)
    left = undefined
    work.open()
    await expect.poll(async () => (await fetch(`${url}/health`)).status, patient).toBe(200)
  })

  it('runs nothing that comes behind an answer which closes the connection', async () => {
    let calls = 0
    const { port } = await listening(
      {},
      served('POST /a', () => calls++),
    )
    const client = raw(port)
    client.send(`POST /a?no HTTP/1.1\r\nhost: x\r\ncontent-length: 2\r\n\r\n{}${'POST /a HTTP/1.1\r\nhost: x\r\n\r\n'}`)
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 400 /)
    expect(calls).toBe(0)
  })

  it('cancels the call when fetch is aborted', async () => {
    const begun = gate()
    const cancelled = gate()
    const { url } = await listening(
      {},
      served('POST /a', async (_, gone) => {
        begun.open()
        await gone.catch(cancelled.open)
      }),
    )
    const controller = new AbortController()
    const response = fetch(`${url}/a`, { method: 'POST', signal: controller.signal })
    await begun.opened
    controller.abort()
    await expect(response).rejects.toThrow()
    await cancelled.opened
  })

  it('runs nothing for a client that leaves in the middle of the body', async () => {
    let calls = 0
    const { port, url } = await listening(
      {},
      served('POST /a', () => calls++),
    )
    const client = raw(port)
    client.send('POST /a HTTP/1.1\r\nhost: x\r\ncontent-type: application/json\r\ncontent-length: 10\r\n\r\n{"a"')
    await once(client.socket, 'connect')
    client.socket.destroy()
    expect((await fetch(`${url}/health`)).status).toBe(200)
    expect(calls).toBe(0)
  })
})
