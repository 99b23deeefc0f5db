import { PosthasteError, type Schema, stream } from '@posthaste/contracts'
import { silentLog, systemClock } from 'posthaste/pipeline'
import { describe, expect, it, onTestFinished } from 'vitest'
import { type Answer, failure, listening, raw, served } from '../test/rig.ts'
import { http } from './http.ts'

const echo: Answer = ({ payload }) => payload

function json(method: string, body: unknown): RequestInit {
  const text = typeof body === 'string' ? body : JSON.stringify(body)
  return { method, body: text, headers: { 'content-type': 'application/json' } }
}

describe('the input of a method', () => {
  it('is the path parameters and the query of a GET, as text, repeated names as arrays', async () => {
    const { url } = await listening({}, served('GET /stock/:productId', echo))
    const response = await fetch(`${url}/stock/p%2F1?tag=a&tag=b&q=x+y%26z&empty=&bare`)
    expect(response.status).toBe(200)
    expect(response.headers.get('content-type')).toBe('application/json')
    expect(await response.json()).toEqual({ productId: 'p/1', tag: ['a', 'b'], q: 'x y&z', empty: '', bare: '' })
  })

  it.each(['POST', 'PUT', 'PATCH'])('is the path parameters over the JSON body of a %s', async (method) => {
    const { url } = await listening({}, served(`${method} /stock/:id`, echo))
    const response = await fetch(`${url}/stock/7`, json(method, { count: 2, nested: { a: [1] } }))
    expect(await response.json()).toEqual({ id: '7', count: 2, nested: { a: [1] } })
  })

  it('is the body itself where the path carries nothing, whatever JSON it is', async () => {
    const { url } = await listening({}, served('POST /list', echo))
    expect(await (await fetch(`${url}/list`, json('POST', [1, 2]))).json()).toEqual([1, 2])
    expect(await (await fetch(`${url}/list`, json('POST', 'null'))).json()).toBeNull()
  })

  it('is an empty object where there is neither body nor query', async () => {
    const { url } = await listening({}, served('POST /a', echo), served('DELETE /b', echo))
    expect(await (await fetch(`${url}/a`, { method: 'POST' })).json()).toEqual({})
    expect(await (await fetch(`${url}/b`, { method: 'DELETE' })).json()).toEqual({})
  })

  it('takes a field in path and body that says the same, and refuses one that differs', async () => {
    const { url } = await listening({}, served('PUT /stock/:id', echo))
    expect(await (await fetch(`${url}/stock/7`, json('PUT', { id: 7 }))).json()).toEqual({ id: '7' })
    const response = await fetch(`${url}/stock/7`, json('PUT', { id: '8' }))
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'INVALID_ARGUMENT', errors: [{ path: 'id' }] })
  })

  it('cannot be an array where the path carries fields', async () => {
    const { url } = await listening({}, served('PUT /stock/:id', echo))
    const response = await fetch(`${url}/stock/7`, json('PUT', [1]))
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'INVALID_ARGUMENT' })
  })

  it('never reaches a prototype', async () => {
    const { url } = await listening({}, served('POST /a', echo), served('GET /b', echo))
    for (const body of ['{"__proto__":{"x":1}}', '{"a":[{"\\u005f_proto__":1}]}']) {
      const response = await fetch(`${url}/a`, json('POST', body))
      expect(response.status).toBe(400)
      expect(await response.json()).toMatchObject({ code: 'BODY_MALFORMED' })
    }
    expect((await fetch(`${url}/b?__proto__=1`)).status).toBe(400)
    expect(await (await fetch(`${url}/a`, json('POST', { text: '__proto__' }))).json()).toEqual({ text: '__proto__' })
  })

  it('arrives with the headers, the id and the timeout of the request', async () => {
    const { url } = await listening(
      {},
      served('GET /meta', ({ headers, id, timeoutMs }) => ({ tenant: headers['x-tenant'], id, timeoutMs })),
    )
    const headers = { 'x-tenant': 't1', 'x-request-id': 'req-1', 'x-request-timeout-ms': '250' }
    const response = await fetch(`${url}/meta`, { headers })
    expect(await response.json()).toEqual({ tenant: 't1', id: 'req-1', timeoutMs: 250 })
    expect(response.headers.get('x-request-id')).toBe('req-1')
  })

  it('gets an id of its own where the request brings none, or one that is too long or odd', async () => {
    const { url } = await listening(
      {},
      served('GET /meta', ({ id }) => ({ id })),
    )
    for (const given of [undefined, 'x'.repeat(129), 'a b', 'ü']) {
      const response = await fetch(`${url}/meta`, given === undefined ? {} : { headers: { 'x-request-id': given } })
      const { id } = (await response.json()) as { id: string }
      expect(id).toMatch(/^[0-9a-f-]{36}$/)
      expect(response.headers.get('x-request-id')).toBe(id)
    }
  })

  it.each(['soon', '-1', '1.5', '1e3', '99999999999'])('refuses %s as a timeout', async (timeout) => {
    const { url } = await listening({}, served('GET /meta', echo))
    const response = await fetch(`${url}/meta`, { headers: { 'x-request-timeout-ms': timeout } })
    expect(response.status).toBe(400)
  })
})

describe('bodies', () => {
  it.each([
    ['text that is no JSON', '{"a":'],
    ['two values', '{} {}'],
    ['an integer a double would round', '{"id":9007199254740993}'],
    ['a deeply nested one', `${'['.repeat(65)}${']'.repeat(65)}`],
    ['one that is all brackets', '['.repeat(500_000)],
  ])('are refused with 400: %s', async (_, body) => {
    const { url } = await listening({}, served('POST /a', echo))
    const response = await fetch(`${url}/a`, json('POST', body))
    expect(response.status).toBe(400)
    expect(await response.json()).toMatchObject({ code: 'BODY_MALFORMED', status: 400 })
  })

  it('are refused with 400 where they are not UTF-8', async () => {
    const { url } = await listening({}, served('POST /a', echo))
    const body = Buffer.from([0x22, 0xff, 0x22])
    const response = await fetch(`${url}/a`, { method: 'POST', body, headers: { 'content-type': 'application/json' } })
    expect(response.status).toBe(400)
  })

  it('keep numbers that a double holds, and long digits in strings', async () => {
    const { url } = await listening({}, served('POST /a', echo))
    const body = { max: Number.MAX_SAFE_INTEGER, pi: 0.30000000000000004, big: 1e300, text: '12345678901234567890' }
    expect(await (await fetch(`${url}/a`, json('POST', body))).json()).toEqual(body)
  })

  it('are taken up to the depth limit, whatever brackets their strings hold', async () => {
    const { url } = await listening({ bodyDepthMax: 2 }, served('POST /a', echo))
    const body = [['[[[[ \\" [[[[', '\\', '{{{{']]
    expect(await (await fetch(`${url}/a`, json('POST', body))).json()).toEqual(body)
  })

  it.each([
    ['another type', { 'content-type': 'text/plain' }],
    ['a form', { 'content-type': 'application/x-www-form-urlencoded' }],
    ['another charset', { 'content-type': 'application/json; charset=latin1' }],
    ['a compressed one', { 'content-type': 'application/json', 'content-encoding': 'gzip' }],
  ])('are refused with 415: %s', async (_, headers) => {
    const { url } = await listening({}, served('POST /a', echo))
    const response = await fetch(`${url}/a`, { method: 'POST', body: '{}', headers })
    expect(response.status).toBe(415)
    expect(response.headers.get('accept')).toBe('application/json')
  })

  it.each(['application/json', 'application/json; charset=UTF-8', 'Application/vnd.shop+json'])(
    'are taken as %s',
    async (type) => {
      const { url } = await listening({}, served('POST /a', echo))
      const response = await fetch(`${url}/a`, { method: 'POST', body: '{"a":1}', headers: { 'content-type': type } })
      expect(await response.json()).toEqual({ a: 1 })
    },
  )

  it('are not taken beside a query, nor with methods that have none', async () => {
    const { url } = await listening({}, served('POST /a', echo), served('DELETE /b', echo))
    expect((await fetch(`${url}/a?x=1`, json('POST', {}))).status).toBe(400)
    expect((await fetch(`${url}/b`, json('DELETE', {}))).status).toBe(400)
  })
})

describe('routing', () => {
  it('answers 404 for a path that nobody serves, and for an empty parameter', async () => {
    const { url } = await listening({}, served('GET /stock/:id', echo))
    for (const path of ['/', '/nothing', '/stock/', '/stock/1/', '/Stock/1']) {
      const response = await fetch(url + path)
      expect(response.status, path).toBe(404)
      expect(response.headers.get('content-type')).toBe('application/problem+json')
    }
  })

  it('answers 405 with what is allowed for a path that others serve', async () => {
    const { url } = await listening({}, served('GET /a/:id', echo), served('PUT /a/:id', echo))
    for (const method of ['POST', 'OPTIONS', 'PROPFIND']) {
      const response = await fetch(`${url}/a/1`, { method })
      expect(response.status, method).toBe(405)
      expect(response.headers.get('allow')).toBe('GET, HEAD, PUT')
    }
  })

  it('answers 400 for percent-encoding that decodes to nothing', async () => {
    const { port } = await listening({}, served('GET /a/:id', echo))
    for (const target of ['/a/%zz', '/a/%c3%28', '/a/x?q=%zz']) {
      const client = raw(port)
      client.send(`GET ${target} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n`)
      expect(await client.closed()).toMatch(/^HTTP\/1\.1 400 .*INVALID_ARGUMENT/s)
    }
  })

  it('takes request targets in absolute form', async () => {
    const { port } = await listening({}, served('GET /a/:id', echo))
    const client = raw(port)
    client.send('GET http://other.example/a/1?q=2 HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n')
    expect(await client.closed()).toMatch(/^HTTP\/1\.1 200 .*\{"q":"2","id":"1"\}$/s)
  })

  it('answers HEAD for a GET route with the headers alone', async () => {
    const { url } = await listening(
      {},
      served('GET /a', () => ({ a: 1 })),
    )
    const response = await fetch(`${url}/a`, { method: 'HEAD' })
    expect(response.status).toBe(200)
    expect(response.headers.get('content-length')).toBe('7')
    expect(await response.text()).toBe('')
  })

  it('prefers a method that claims HEAD itself', async () => {
    const head = served({ route: 'HEAD /a', status: 204 }, () => undefined)
    const { url } = await listening({}, served('GET /a', echo), head)
    expect((await fetch(`${url}/a`, { method: 'HEAD' })).status).toBe(204)
  })

  it('tells under /health how the application is, and answers 503 while it fails', async () => {
    const asked = async (status: 'ok' | 'degraded' | 'failing') => {
      const transport = http({ port: 0 })
      const [url] = await transport.start([], { clock: systemClock, log: silentLog, health: () => status })
      onTestFinished(() => transport.stop(0))
      const response = await fetch(`${url}/health`)
      return { status: response.status, body: await response.json() }
    }
    expect(await asked('degraded')).toEqual({ status: 200, body: { status: 'degraded' } })
    expect(await asked('failing')).toEqual({ status: 503, body: { status: 'failing' } })
  })

  it('tells under /health that it takes calls, or elsewhere, or nowhere', async () => {
    expect(await (await fetch(`${(await listening({})).url}/health`)).json()).toEqual({ status: 'ok' })
    const { url } = await listening({ healthPath: '/up' })
    expect((await fetch(`${url}/up`)).status).toBe(200)
    expect((await fetch(`${(await listening({ healthPath: false })).url}/health`)).status).toBe(404)
  })
})

describe('answers', () => {
  it('have the status of the contract, 204 without output, 200 otherwise', async () => {
    const { url } = await listening(
      {},
      served({ route: 'POST /created', status: 201 }, () => ({ id: 1 })),
      served({ route: 'POST /accepted', status: 202 }, () => undefined),
      served('POST /nothing', () => undefined),
      served('POST /null', () => null),
    )
    const post = async (path: string) => {
      const response = await fetch(url + path, { method: 'POST' })
      return [response.status, await response.text()]
    }
    expect(await post('/created')).toEqual([201, '{"id":1}'])
    expect(await post('/accepted')).toEqual([202, ''])
    expect(await post('/nothing')).toEqual([204, ''])
    expect(await post('/null')).toEqual([200, 'null'])
  })

  it.each([
    ['BODY_MALFORMED', 400],
    ['INVALID_ARGUMENT', 400],
    ['UNAUTHENTICATED', 401],
    ['PERMISSION_DENIED', 403],
    ['NOT_FOUND', 404],
    ['CONFLICT', 409],
    ['FAILED_PRECONDITION', 412],
    ['PAYLOAD_INVALID', 422],
    ['RATE_LIMITED', 429],
    ['CANCELLED', 499],
    ['INTERNAL', 500],
    ['UNIMPLEMENTED', 501],
    ['UNAVAILABLE', 503],
    ['OVERLOADED', 503],
    ['BREAKER_OPEN', 503],
    ['DEADLINE_EXCEEDED', 504],
  ] as const)('say %s with %i', async (code, status) => {
    const { url } = await listening({}, served('GET /a', failure(code, 'no')))
    const response = await fetch(`${url}/a`)
    expect(response.status).toBe(status)
    expect(response.headers.get('content-type')).toBe('application/problem+json')
    expect(await response.json()).toMatchObject({ status, requestId: response.headers.get('x-request-id') })
  })

  it('tell the caller everything it can act on', async () => {
    const issues = [{ path: 'items.0.count', message: 'must be positive' }]
    const error = new PosthasteError('PAYLOAD_INVALID', 'the order is odd', {
      issues,
      remedy: 'Order more.',
      details: { max: 3 },
    })
    const { url } = await listening(
      {},
      served('POST /a', () => Promise.reject(error)),
    )
    const response = await fetch(`${url}/a`, json('POST', {}))
    expect(await response.json()).toEqual({
      type: 'urn:posthaste:error:PAYLOAD_INVALID',
      title: 'the data does not fit the contract’s schema',
      status: 422,
      detail: 'the order is odd',
      code: 'PAYLOAD_INVALID',
      remedy: 'Order more.',
      errors: issues,
      details: { max: 3 },
      requestId: response.headers.get('x-request-id'),
    })
  })

  it.each([
    ['an unexpected error', () => Promise.reject(new Error('password=secret')), 500, 'INTERNAL'],
    ['an internal one', failure('INTERNAL', 'secret', { details: { a: 'secret' }, remedy: 'secret' }), 500, 'INTERNAL'],
    ['one of an engine', failure('ENGINE_CORRUPT', 'secret at /var/data'), 500, 'INTERNAL'],
    ['one of an open breaker', failure('BREAKER_OPEN', 'secret.Backend/call is open'), 503, 'UNAVAILABLE'],
    ['a closed engine', failure('ENGINE_CLOSED', 'secret'), 503, 'UNAVAILABLE'],
  ])('tell nothing of the inside: %s', async (...[, answer, status, code]) => {
    const { url } = await listening({}, served('GET /a', answer))
    const response = await fetch(`${url}/a`)
    const text = await response.text()
    expect(response.status).toBe(status)
    expect(JSON.parse(text)).toMatchObject({ code })
    expect(text).not.toMatch(/secret/)
  })

  it('say when to come back', async () => {
    const { url } = await listening(
      {},
      served('GET /limited', failure('RATE_LIMITED', 'slow down', { retryAfterMs: 2_100 })),
      served('GET /down', failure('UNAVAILABLE', 'down')),
      served('GET /same', failure('CONFLICT', 'under way', { verdict: 'retryable', retryAfterMs: 900 })),
      served('GET /never', failure('RATE_LIMITED', 'too much at once', { verdict: 'permanent' })),
      served('GET /endless', failure('UNAVAILABLE', 'down', { retryAfterMs: Number.POSITIVE_INFINITY })),
      served('GET /taken', failure('CONFLICT', 'taken')),
    )
    const after = async (path: string): Promise<string | null> => {
      const { headers } = await fetch(`${url}/${path}`)
      return headers.get('retry-after')
    }
    expect([await after('limited'), await after('down'), await after('same')]).toEqual(['3', '1', '1'])
    expect([await after('never'), await after('endless'), await after('taken')]).toEqual([null, '1', null])
  })

  it('fail as internal where the output cannot be JSON', async () => {
    const { url } = await listening(
      {},
      served('GET /a', () => ({ n: 1n })),
    )
    const response = await fetch(`${url}/a`)
    expect(response.status).toBe(500)
    expect(await response.json()).toMatchObject({ code: 'INTERNAL' })
  })
})

describe('starting', () => {
  it('refuses routes that two methods claim, and malformed ones, all at once', async () => {
    const start = listening(
      {},
      served('GET /a/:id', echo),
      served('GET /a/:other', echo),
      served('GET /files/*', echo),
      served('GET /health', echo),
      served('GET /b/:__proto__', echo),
    )
    const error = (await start.catch((thrown: unknown) => thrown)) as PosthasteError
    expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(error.issues.map(({ path }) => path)).toEqual([
      'GET /a/:other',
      'GET /files/*',
      'GET /health',
      'GET /b/:__proto__',
    ])
  })

  it('refuses methods with a stream on either side, and leaves those without a route out', async () => {
    const method = served('GET /a', echo)
    const { input } = method.contract
    const streaming = { ...method, contract: { ...method.contract, output: stream(input as Schema) } }
    const taking = { ...method, contract: { ...method.contract, input: stream(input as Schema) } }
    for (const refused of [streaming, taking]) {
      await expect(listening({}, refused)).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
      await listening({}, { ...refused, contract: { ...refused.contract, http: undefined } })
    }
  })

  it('says which address it cannot have', async () => {
    const { port } = await listening({})
    await expect(listening({ port })).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining(`127.0.0.1:${port}`),
    })
  })

  it('tells where it listens, also over IPv6', async () => {
    const { url } = await listening({ host: '::1' })
    expect(url).toMatch(/^http:\/\/\[::1\]:\d+$/)
    expect((await fetch(`${url}/health`)).status).toBe(200)
  })
})
