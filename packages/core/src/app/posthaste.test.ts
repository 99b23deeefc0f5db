import {
  command,
  type Engine,
  event,
  PosthasteError,
  type ServedMethod,
  type ServerTransport,
  service,
  stream,
} from '@posthaste/contracts'
import { memory } from '@posthaste/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { manualClock } from '../testing/manual-clock.ts'
import { type RecordingLog, recordingLog } from '../testing/recording-log.ts'
import type { App } from './app.ts'
import type { AppOptions } from './options.ts'
import { posthaste } from './posthaste.ts'

const Created = event('shop.order.created', { data: z.object({ orderNo: z.string() }) })
const Deduct = command('shop.stock.deduct', { data: z.object({ count: z.coerce.number() }) })
const Orders = service('shop.Orders', {
  create: { input: z.object({ orderNo: z.string() }), output: z.object({ ok: z.boolean() }), http: 'POST /orders' },
})

/** Applications of a test share a standing clock; they are closed when the test ends. */
function making() {
  const clock = manualClock()
  const log = recordingLog()
  const make = (options: Partial<AppOptions> = {}): App => {
    const app = posthaste({ name: 'shop', clock, log, signals: false, ...options })
    onTestFinished(() => app.close().catch(() => undefined))
    return app
  }
  return { clock, log, make }
}

/** An engine that tells what is done to it, or fails to do it. */
function watched(done: string[], fails?: keyof Engine): Engine {
  const engine = memory()
  const steps = ['open', 'declare', 'subscribe', 'publish', 'close'] as const
  for (const step of steps) {
    const original = engine[step].bind(engine) as (...args: unknown[]) => Promise<unknown>
    const instead = (...args: unknown[]): Promise<unknown> => {
      done.push(`engine ${step}`)
      return step === fails ? Promise.reject(new PosthasteError('UNAVAILABLE', `no ${step}`)) : original(...args)
    }
    Object.defineProperty(engine, step, { value: instead })
  }
  return engine
}

/** A transport that tells what is done to it and lets a test call what is served. */
function watchedTransport(
  done: string[],
  name: string,
  fails = false,
): ServerTransport & { methods: readonly ServedMethod[] } {
  return {
    name,
    methods: [],
    async start(methods) {
      done.push(`${name} start`)
      if (fails) throw new PosthasteError('UNAVAILABLE', `${name} cannot listen`)
      this.methods = methods
      return [`${name}://here`]
    },
    async stop(graceMs) {
      done.push(`${name} stop ${graceMs}`)
    },
  }
}

describe('an application', () => {
  it('carries a call to its handler, and what that publishes to the groups that follow, with the request’s id', async () => {
    const { clock, make } = making()
    const app = make({ engine: memory() })
    const seen: unknown[] = []
    const ids: string[] = []
    app.serve(Orders, {
      async create({ orderNo }, ctx) {
        const { id } = await ctx.publish(Created, { orderNo })
        ids.push(ctx.id, id)
        return { ok: true }
      },
    })
    app.on(Created, { group: 'points' }, async (data, ctx) => {
      seen.push([data, ctx.correlationId, ctx.id])
      await ctx.send(Deduct, { count: '2' })
    })
    app.handle(Deduct, { concurrency: 1 }, (data) => void seen.push(data))
    await app.start()
    expect(await app.client(Orders).create({ orderNo: 'A1' })).toEqual({ ok: true })
    await clock.advance(0)
    const [requestId, messageId] = ids
    expect(seen).toEqual([[{ orderNo: 'A1' }, requestId, messageId], { count: 2 }])
  })

  it('publishes one, many and later, and takes back what is scheduled', async () => {
    const { clock, make } = making()
    const app = make({ engine: memory() })
    const seen: string[] = []
    app.on(Created, { group: 'points' }, ({ orderNo }) => void seen.push(orderNo))
    await app.start()
    await app.publish(Created, { orderNo: 'one' })
    const results = await app.publishAll(Created, [{ orderNo: 'two' }, { orderNo: 5 as never }])
    const { id } = await app.schedule(Created, { orderNo: 'never' }, { delayMs: 1_000 })
    await app.schedule(Created, { orderNo: 'later' }, { delayMs: 1_000 })
    expect(results).toMatchObject([{ ok: true }, { ok: false, error: { code: 'PAYLOAD_INVALID' } }])
    expect(await app.cancel(Created, id)).toBe(true)
    await clock.advance(0)
    expect(seen).toEqual(['one', 'two'])
    await clock.advance(2_000)
    expect(seen).toEqual(['one', 'two', 'later'])
  })

  it('shows dead letters and gives them back', async () => {
    const { clock, make } = making()
    const app = make({ engine: memory() })
    let broken = true
    app.handle(Deduct, { retry: false }, () => {
      if (broken) throw new Error('broken')
    })
    await app.start()
    const { id } = await app.send(Deduct, { count: 1 })
    await clock.advance(0)
    const letters = app.deadLetters(Deduct)
    expect((await letters.browse()).letters).toMatchObject([{ id }])
    broken = false
    expect(await letters.redrive({ all: true })).toMatchObject({ moved: 1 })
    await clock.advance(0)
    expect((await letters.browse()).letters).toEqual([])
  })

  it('works without an engine where there are no messages', async () => {
    const { make } = making()
    const app = make()
    app.serve(Orders, { create: () => ({ ok: true }) })
    await app.start()
    expect(await app.client(Orders).create({ orderNo: '1' })).toEqual({ ok: true })
    expect(app.health()).toEqual({ status: 'ok', state: 'running', engine: undefined, subscriptions: [] })
    await expect(app.publish(Created, { orderNo: '1' })).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
  })

  it('works without services, and does nothing at all if so told', async () => {
    const { make } = making()
    const app = make()
    await app.start()
    await app.close()
    expect(app.state).toBe('closed')
  })

  it('describes its methods and subscriptions', async () => {
    const { make } = making()
    const app = make({ engine: memory() })
    app.serve(Orders, { create: () => ({ ok: true }) })
    app.on(Created, { group: 'points' }, () => {})
    expect(app.describe()).toMatchObject({
      name: 'shop',
      methods: [{ side: 'server', target: 'shop.Orders/create' }],
      subscriptions: [{ channel: 'shop.order.created', group: 'points' }],
    })
  })
})

describe('starting and closing', () => {
  it('opens the engine, consumes, then listens; and goes the other way back with one grace', async () => {
    const { make } = making()
    const done: string[] = []
    const transport = watchedTransport(done, 'http')
    const app = make({ engine: watched(done), transports: [transport], graceMs: 700 })
    app.on(Created, { group: 'points' }, () => {})
    app.serve(Orders, { create: () => ({ ok: true }) })
    await app.start()
    expect(done).toEqual(['engine open', 'engine declare', 'engine subscribe', 'http start'])
    expect(transport.methods.map(({ method }) => method)).toEqual(['create'])
    expect(app.urls).toEqual(['http://here'])
    await app.close()
    expect(done.slice(4)).toEqual(['http stop 700', 'engine close'])
    expect(app.urls).toEqual([])
  })

  it('does both once, however often it is told to', async () => {
    const { make } = making()
    const done: string[] = []
    const app = make({ engine: watched(done) })
    await Promise.all([app.start(), app.start()])
    await Promise.all([app.close(), app.close()])
    await app.close()
    expect(done.filter((step) => /open|close/.test(step))).toEqual(['engine open', 'engine close'])
    await expect(app.start()).resolves.toBeUndefined()
  })

  it.each(['open', 'declare', 'subscribe'] as const)(
    'closes what it has opened where the engine cannot %s',
    async (step) => {
      const { make } = making()
      const done: string[] = []
      const app = make({ engine: watched(done, step), transports: [watchedTransport(done, 'http')] })
      app.on(Created, { group: 'points' }, () => {})
      await expect(app.start()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      expect(done).not.toContain('http start')
      expect(done.at(-1)).toBe('engine close')
      expect(app.state).toBe('closed')
    },
  )

  it('stops the transports that listen where a later one cannot', async () => {
    const { make } = making()
    const done: string[] = []
    const transports = [watchedTransport(done, 'http'), watchedTransport(done, 'grpc', true)]
    const app = make({ engine: watched(done), transports })
    await expect(app.start()).rejects.toThrow('grpc cannot listen')
    expect(
      done.filter((step) => !step.startsWith('engine')).map((step) => step.split(' ').slice(0, 2).join(' ')),
    ).toEqual(['http start', 'grpc start', 'http stop', 'grpc stop'])
    expect(done.at(-1)).toBe('engine close')
  })

  it('reports everything that is wrong before anything is opened', async () => {
    const { make } = making()
    const done: string[] = []
    const app = make({ transports: [watchedTransport(done, 'http')] })
    const Twin = service('shop.Twin', { create: { input: z.any(), output: z.any(), http: 'POST /orders' } })
    app.on(Created, { group: 'points' }, () => {})
    app.handle(Deduct, () => {})
    app.onBatch(Created, { group: 'points' }, () => {})
    app.handleBatch(Deduct, {}, () => {})
    app.serve(Orders, { create: () => ({ ok: true }) })
    app.serve(Twin, { create: () => 1 })
    app.client(service('shop.Elsewhere', { call: { input: z.any(), output: z.any() } }))
    const error = (await app.start().catch((thrown: unknown) => thrown)) as PosthasteError
    expect(error.code).toBe('CONFIG_INVALID')
    expect(error.issues.map(({ path }) => path)).toEqual([
      'on(shop.order.created)',
      'handle(shop.stock.deduct)',
      'onBatch(shop.order.created)',
      'handleBatch(shop.stock.deduct)',
      'client(shop.Elsewhere)',
      'serve(shop.Twin/create)',
    ])
    expect(done).toEqual([])
  })

  it('refuses publishing and calling before the start and after the end', async () => {
    const { make } = making()
    const app = make({ engine: memory() })
    const client = app.client(Orders)
    app.serve(Orders, { create: () => ({ ok: true }) })
    await expect(app.publish(Created, { orderNo: '1' })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
    await expect(client.create({ orderNo: '1' })).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
    await app.start()
    expect(() => app.serve(Orders, { create: () => ({ ok: true }) })).toThrow(
      expect.objectContaining({ code: 'FAILED_PRECONDITION' }),
    )
    await app.close()
    await expect(app.publish(Created, { orderNo: '1' })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    await expect(client.create({ orderNo: '1' })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })

  it('says that it is closed also where it was never started', async () => {
    const app = making().make({ engine: memory() })
    await app.close()
    await expect(app.publish(Created, { orderNo: '1' })).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(() => app.on(Created, { group: 'g' }, () => {})).toThrow(expect.objectContaining({ code: 'ENGINE_CLOSED' }))
  })

  it('lets handlers that run call and publish until they end', async () => {
    const { clock, make } = making()
    const app = make({ engine: memory() })
    const client = app.client(Orders)
    const running = Promise.withResolvers<void>()
    const answers: unknown[] = []
    app.serve(Orders, { create: () => ({ ok: true }) })
    app.on(Created, { group: 'points' }, async (_, ctx) => {
      await running.promise
      answers.push(await client.create({ orderNo: '1' }, { within: ctx }))
      await app.send(Deduct, { count: 1 })
    })
    await app.start()
    await app.publish(Created, { orderNo: '1' })
    await clock.advance(0)
    const closed = app.close()
    running.resolve()
    await closed
    expect(answers).toEqual([{ ok: true }])
    expect(app.health().subscriptions).toMatchObject([{ acked: 1 }])
  })

  it('waits at its end for streams within the process, for half of its grace, and closes the transports of clients last', async () => {
    const { clock, log, make } = making()
    const done: string[] = []
    const app = make({ engine: watched(done), transports: [watchedTransport(done, 'http')], graceMs: 1_000 })
    const Ticks = service('shop.Ticks', { follow: { input: z.number(), output: stream(z.number()) } })
    app.serve(Ticks, {
      async *follow(ticks, ctx) {
        try {
          for (let n = 0; n < ticks; n++) yield n
        } finally {
          done.push(`followed ${ticks} ${ctx.cancellation.reason?.code}`)
        }
      },
    })
    const far = {
      name: 'far',
      streams: true,
      call: () => 1,
      async close() {
        done.push('far close')
      },
    }
    app.client(Orders, { transport: far })
    await app.start()
    const short = app.client(Ticks).follow(2)[Symbol.asyncIterator]()
    const endless = app.client(Ticks).follow(1_000_000)[Symbol.asyncIterator]()
    await Promise.all([short.next(), endless.next()])
    done.length = 0
    const closed = app.close()
    await clock.advance(0)
    expect(done).toEqual(['http stop 1000'])
    expect(await short.next()).toEqual({ done: false, value: 1 })
    expect((await short.next()).done).toBe(true)
    await clock.advance(500)
    await closed
    await expect(endless.next()).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    expect(done).toEqual([
      'http stop 1000',
      'followed 2 undefined',
      'followed 1000000 UNAVAILABLE',
      'engine close',
      'far close',
    ])
    expect(log.entries.filter(({ level }) => level === 'error')).toEqual([])
  })

  it('closes the transports of clients even where it was never started', async () => {
    const { make } = making()
    let closed = 0
    const far = {
      name: 'far',
      call: () => 1,
      async close() {
        closed += 1
      },
    }
    const app = make()
    app.client(Orders, { transport: far })
    await app.close()
    expect(closed).toBe(1)
  })

  it('ends calls within the process by their deadline, also when it has closed meanwhile', async () => {
    const { clock, make } = making()
    const app = make()
    app.serve(Orders, { create: () => new Promise<never>(() => {}) })
    await app.start()
    const call = expect(app.client(Orders).create({ orderNo: '1' })).rejects.toMatchObject({
      code: 'DEADLINE_EXCEEDED',
    })
    await app.close()
    await clock.advance(31_000)
    await call
  })
})

describe('health', () => {
  /** An application whose engine a test can make say how it is. */
  async function reporting(): Promise<{ app: App; log: RecordingLog; say: Parameters<Engine['open']>[0]['onState'] }> {
    const { make, log } = making()
    const engine = memory()
    const open = engine.open.bind(engine)
    let say: Parameters<Engine['open']>[0]['onState'] = () => {}
    Object.defineProperty(engine, 'open', {
      value: (host: Parameters<Engine['open']>[0]) => {
        say = (state, cause) => host.onState(state, cause)
        return open(host)
      },
    })
    const app = make({ engine })
    await app.start()
    return { app, log, say }
  }

  it('follows what the engine says, and tells the log of every change', async () => {
    const { app, log, say } = await reporting()
    expect(app.health()).toMatchObject({ status: 'ok', engine: { name: 'memory', state: 'connected' } })
    const cause = new PosthasteError('UNAVAILABLE', 'gone')
    say('lost', cause)
    say('lost', cause)
    expect(app.health()).toMatchObject({ status: 'failing', engine: { state: 'lost', cause } })
    say('degraded')
    expect(app.health().status).toBe('degraded')
    say('connected')
    expect(app.health().status).toBe('ok')
    const told = log.entries.filter(({ message }) => message.startsWith('the engine is')).map(({ level }) => level)
    expect(told.slice(-3)).toEqual(['error', 'warn', 'info'])
  })

  it('is failing before the start and after the end', async () => {
    const { make } = making()
    const app = make({ engine: memory() })
    expect(app.health()).toMatchObject({ status: 'failing', state: 'new', engine: { state: 'closed' } })
    await app.start()
    await app.close()
    expect(app.health()).toMatchObject({ status: 'failing', state: 'closed', engine: { state: 'closed' } })
  })
})

describe('the options of an application', () => {
  it('are refused all at once', () => {
    const options = {
      name: '9',
      engine: {},
      transports: [{}],
      signals: 'yes',
      graceMs: -1,
      log: {},
      clock: {},
      port: 80,
    }
    expect(() => posthaste(options as never)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['port', 'name', 'engine', 'transports', 'log', 'signals', 'graceMs', 'clock'].map((name) =>
          expect.objectContaining({ path: `app.${name}` }),
        ),
      }),
    )
  })

  it('do not take the same transport twice', () => {
    const transport = watchedTransport([], 'http')
    expect(() => posthaste({ name: 'shop', transports: [transport, transport] })).toThrow(
      expect.objectContaining({ issues: [{ path: 'app.transports.1', message: 'is in the list twice' }] }),
    )
  })
})
