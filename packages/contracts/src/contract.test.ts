import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { command, event, isStream, isStreaming, routeOf, schemaOf, service, stream } from './contract.ts'
import { PosthasteError } from './error.ts'

const data = z.object({ orderNo: z.string() })
/** What a caller without types might pass. */
const untyped = { event: event as Untyped, command: command as Untyped, service: service as Untyped }
type Untyped = (...given: readonly unknown[]) => unknown

function issuesOf(run: () => unknown): Record<string, string> {
  try {
    run()
  } catch (error) {
    if (!PosthasteError.is(error, 'CONTRACT_INVALID')) throw error
    return Object.fromEntries(error.issues.map(({ path, message }) => [path, message]))
  }
  return {}
}

describe('an event', () => {
  it('holds what it was declared with', () => {
    const key = (order: { orderNo: string }): string => order.orderNo
    const options = { data, key, description: 'An order', timeToLiveMs: 60_000, retention: { forMs: 1, bytesMax: 2 } }
    expect(event('shop.order.created', options)).toEqual({ kind: 'event', type: 'shop.order.created', ...options })
  })

  it('cannot be changed, neither through itself nor through what it was declared with', () => {
    const retention = { forMs: 1 }
    const contract = event('shop.order.created', { data, retention })
    retention.forMs = 2
    expect(contract.retention).toEqual({ forMs: 1 })
    expect(Object.isFrozen(contract) && Object.isFrozen(contract.retention)).toBe(true)
  })

  it.each(['a', 'shop.order.created', 'Shop.Order-v2', 'shop.order.2', `a${'b'.repeat(159)}`])(
    'may be of type %s',
    (type) => {
      expect(issuesOf(() => event(type, { data }))).toEqual({})
    },
  )

  it.each(['', '.', 'a.', '.a', 'a..b', '1a', 'a b', 'a/b', 'a*', 'ä', 'a._b', `a${'b'.repeat(160)}`])(
    'may not be of type %j',
    (type) => {
      expect(Object.keys(issuesOf(() => event(type, { data })))).toEqual([''])
    },
  )

  it('reports everything that is wrong at once', () => {
    const wrong = {
      data: { parse: () => 1 },
      key: 'orderNo',
      description: 7,
      timeToLiveMs: '5',
      retention: { forMs: 0, bytesMax: Number.POSITIVE_INFINITY, forDays: 7 },
      retries: 3,
    }
    expect(issuesOf(() => untyped.event('no type', wrong))).toEqual({
      '': 'the type must be dotted words of letters, digits, _ and -, at most 160 characters',
      retries:
        'is no option; there are data, key, description, timeToLiveMs, codec, version, upcasters, priorities, deduplicateForMs, retention',
      data: 'must implement Standard Schema',
      key: 'must be a function of the data',
      description: 'must be text',
      timeToLiveMs: 'must be a positive number',
      'retention.forDays': 'is no option; there are forMs, bytesMax',
      'retention.forMs': 'must be a positive number',
      'retention.bytesMax': 'must be a positive number',
    })
  })

  it('names the contract and every mistake in the message', () => {
    expect(() => untyped.event('shop.order', { key: 1 })).toThrow(
      "[CONTRACT_INVALID] event 'shop.order': data must implement Standard Schema; key must be a function of the data",
    )
  })

  it.each([undefined, null, 'text', [], 7])('needs options, not %j', (options) => {
    expect(issuesOf(() => untyped.event('shop.order', options))).toEqual({
      '': 'must be given its options: at least data',
    })
  })

  it.each([undefined, null, {}, { '~standard': null }, { '~standard': { validate: 'no' } }, 'text'])(
    'needs a schema, not %j',
    (none) => {
      expect(issuesOf(() => untyped.event('shop.order', { data: none }))).toEqual({
        data: 'must implement Standard Schema',
      })
    },
  )

  it('takes a schema that is a function', () => {
    const schema = Object.assign(() => 1, { '~standard': data['~standard'] })
    expect(issuesOf(() => event('shop.order', { data: schema }))).toEqual({})
  })

  it.each([0, -1, Number.NaN, Number.POSITIVE_INFINITY])('does not live for %s ms', (timeToLiveMs) => {
    expect(Object.keys(issuesOf(() => event('shop.order', { data, timeToLiveMs })))).toEqual(['timeToLiveMs'])
  })

  it('takes an option that is undefined for absent', () => {
    const options = {
      data,
      key: undefined,
      description: undefined,
      timeToLiveMs: undefined,
      retention: undefined,
      mistyped: undefined,
    }
    expect(issuesOf(() => untyped.event('shop.order', options))).toEqual({})
  })
})

describe('a command', () => {
  it('holds what it was declared with and cannot be changed', () => {
    const contract = command('shop.stock.deduct', { data, timeToLiveMs: 5 })
    expect(contract).toEqual({ kind: 'command', type: 'shop.stock.deduct', data, timeToLiveMs: 5 })
    expect(Object.isFrozen(contract)).toBe(true)
  })

  it('has no retention, since it is deleted when done', () => {
    expect(issuesOf(() => untyped.command('shop.stock.deduct', { data, retention: { forMs: 1 } }))).toEqual({
      retention:
        'is no option; there are data, key, description, timeToLiveMs, codec, version, upcasters, priorities, deduplicateForMs, reply',
    })
  })

  it('says what it is when it is wrong', () => {
    expect(() => untyped.command('x y', {})).toThrow("command 'x y'")
  })
})

describe('a service', () => {
  const ref = z.object({ id: z.string() })

  it('holds its methods', () => {
    const methods = {
      check: { input: ref, output: ref, http: 'GET /api/:id', idempotent: true, description: 'Looks' },
      watch: { input: ref, output: stream(ref), http: { route: 'POST /api', status: 201 } },
    } as const
    expect(service('shop.Inventory', methods)).toEqual({ kind: 'service', name: 'shop.Inventory', methods })
  })

  it('cannot be changed, neither through itself nor through what it was declared with', () => {
    const methods = { check: { input: ref, output: ref, http: { route: 'GET /a', status: 200 } } }
    const contract = service('shop.Inventory', methods)
    methods.check.http.status = 500
    Object.assign(methods, { more: {} })
    expect(Object.keys(contract.methods)).toEqual(['check'])
    expect(contract.methods.check.http).toEqual({ route: 'GET /a', status: 200 })
    for (const part of [contract, contract.methods, contract.methods.check, contract.methods.check.http]) {
      expect(Object.isFrozen(part)).toBe(true)
    }
  })

  it.each(['', 'shop.my-service', 'shop.1st', 'shop.', `s${'x'.repeat(200)}`])('may not be named %j', (name) => {
    expect(Object.keys(issuesOf(() => service(name, { get: { input: ref, output: ref } })))).toEqual([''])
  })

  it('reports everything that is wrong at once', () => {
    const wrong = {
      '2nd': { input: ref, output: ref },
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      then: { input: ref, output: ref },
      none: undefined,
      all: { input: 1, output: 2, idempotent: 'yes', description: 1, timeoutMs: 5, http: 7 },
      streamed: { input: ref, output: { stream: 1 }, http: { route: 'get /a', status: 404, verb: 'GET' } },
      taken: { input: { stream: ref['~standard'] }, output: ref },
      fine: { input: ref, output: ref, http: 'GET /a/:id' },
      same: { input: ref, output: ref, http: { route: 'GET /a/:other' } },
    }
    expect(issuesOf(() => untyped.service('shop inventory', wrong))).toEqual({
      '': 'the name must be dotted words of letters, digits and _, at most 200 characters',
      '2nd': 'must be named with a letter, then letters, digits or _',
      // biome-ignore lint/suspicious/noThenProperty: that is the point
      then: 'must be named otherwise: an object with a method then is taken for a promise',
      none: 'must be an object with input and output',
      'all.input': 'must implement Standard Schema',
      'all.output': 'must implement Standard Schema',
      'all.idempotent': 'must be true or false',
      'all.description': 'must be text',
      'all.timeoutMs': 'is no option; there are input, output, http, idempotent, formats, description',
      'all.http': "must be like 'GET /path/:parameter', each parameter a whole segment of its own, not 7",
      'streamed.output': 'must implement Standard Schema',
      'taken.input': 'must implement Standard Schema',
      'streamed.http.verb': 'is no option; there are route, status',
      'streamed.http.route': `must be like 'GET /path/:parameter', each parameter a whole segment of its own, not "get /a"`,
      'streamed.http.status': 'must be a status of success, 200 to 299',
      'same.http': 'is the route of fine, too',
    })
  })

  it('may take streams, answer with them, or both', () => {
    const methods = {
      unary: { input: ref, output: ref },
      server: { input: ref, output: stream(ref) },
      client: { input: stream(ref), output: ref },
      both: { input: stream(ref), output: stream(ref) },
    }
    const { unary, server, client, both } = service('shop.Inventory', methods).methods
    expect([unary, server, client, both].map(isStreaming)).toEqual([false, true, true, true])
    expect([client.input, client.output].map(isStream)).toEqual([true, false])
    expect([client.input, client.output, both.output].map(schemaOf)).toEqual([ref, ref, ref])
    expect(Object.isFrozen(both.input)).toBe(true)
  })

  it('takes a schema that happens to have a field `stream` for what it is', () => {
    const odd = Object.assign(z.string(), { stream: 7 })
    expect(isStream(odd)).toBe(false)
    expect(issuesOf(() => service('shop.Inventory', { get: { input: odd, output: odd } }))).toEqual({})
  })

  it('may have formats of its own, each of one content type, which nobody can change', () => {
    const codec = (contentType: string) => ({ contentType, encode: () => new Uint8Array(), decode: () => 1 })
    const formats = [{ input: codec('a/b'), output: codec('a/b') }]
    const { get } = service('shop.Inventory', { get: { input: ref, output: ref, formats } }).methods
    formats.push({ input: codec('c/d'), output: codec('c/d') })
    expect(get.formats).toHaveLength(1)
    for (const part of [get.formats, get.formats[0]]) expect(Object.isFrozen(part)).toBe(true)
    const other = { input: codec('a/b'), output: codec('c/d') }
    const wrong = [formats[0], other, 7, { input: codec('x/y') }]
    expect(
      issuesOf(() => untyped.service('shop.Inventory', { get: { input: ref, output: ref, formats: wrong } })),
    ).toEqual({
      'get.formats.1': 'is of a content type that stands before it, a/b',
      'get.formats.2': 'must be an object with input and output',
      'get.formats.3.output': 'must be a codec: contentType, encode and decode',
    })
    expect(issuesOf(() => service('shop.Inventory', { get: { input: ref, output: ref, formats: [other] } }))).toEqual({
      'get.formats.0': 'must be of one content type, not a/b and c/d',
    })
    expect(
      issuesOf(() => untyped.service('shop.Inventory', { get: { input: ref, output: ref, formats: {} } })),
    ).toEqual({
      'get.formats': 'must be a list of formats, each with input and output',
    })
  })

  it.each([undefined, null, {}, []])('has methods, not %j', (methods) => {
    expect(issuesOf(() => untyped.service('shop.Inventory', methods))).toEqual({ '': 'must have at least one method' })
  })

  it.each(['GET /', 'DELETE /a/:id/b/:other_1', 'PATCH /a.b~c/%20', 'HEAD /a'])('may have the route %s', (http) => {
    expect(issuesOf(() => service('shop.Inventory', { get: { input: ref, output: ref, http } }))).toEqual({})
  })

  it.each([
    '/a',
    'GET',
    'GET a',
    'OPTIONS /a',
    'GET  /a',
    'GET /a b',
    'GET /a?b',
    'GET /a#b',
    'GET /:',
    'GET /a:id',
    'GET /:a/:a',
    'GET /:1',
  ])('may not have the route %j', (http) => {
    expect(Object.keys(issuesOf(() => service('shop.Inventory', { get: { input: ref, output: ref, http } })))).toEqual([
      'get.http',
    ])
  })

  it('may use one path for several verbs', () => {
    const method = { input: ref, output: ref }
    expect(
      issuesOf(() => service('shop.A', { get: { ...method, http: 'GET /a' }, put: { ...method, http: 'PUT /a' } })),
    ).toEqual({})
  })
})

describe('a route', () => {
  const method = { input: data, output: data }

  it('comes in its parts', () => {
    expect(routeOf({ ...method, http: 'GET /api/:id' })).toEqual({ method: 'GET', path: '/api/:id', status: undefined })
    expect(routeOf({ ...method, http: { route: 'POST /api', status: 201 } })).toEqual({
      method: 'POST',
      path: '/api',
      status: 201,
    })
    expect(routeOf({ ...method, http: { route: 'POST /api' } })).toEqual({
      method: 'POST',
      path: '/api',
      status: undefined,
    })
  })

  it('is undefined for a method without one', () => expect(routeOf(method)).toBeUndefined())
})
