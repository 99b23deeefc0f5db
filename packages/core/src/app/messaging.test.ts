import { type BlobStore, type Codec, event, events, PosthasteError } from '@posthaste/contracts'
import { memory } from '@posthaste/memory'
import { describe, expect, it, onTestFinished } from 'vitest'
import { z } from 'zod'
import { manualClock } from '../testing/manual-clock.ts'
import { recordingLog } from '../testing/recording-log.ts'
import type { App } from './app.ts'
import type { AppOptions } from './options.ts'
import { posthaste } from './posthaste.ts'

const data = z.object({ orderNo: z.string() })
const Created = event('shop.order.created', { data })
const points = { group: 'points' }

async function started(register: (app: App) => void = () => {}, options: Partial<AppOptions> = {}) {
  const clock = manualClock()
  const engine = memory()
  const app = posthaste({ name: 'shop', clock, log: recordingLog(), signals: false, engine, ...options })
  onTestFinished(() => app.close())
  register(app)
  await app.start()
  return { app, clock, engine }
}

/** JSON with its bytes in reverse. */
const backwards: Codec = {
  contentType: 'application/x-backwards',
  encode: (value) => new TextEncoder().encode(JSON.stringify(value)).reverse(),
  decode: (body) => JSON.parse(new TextDecoder().decode(body.slice().reverse())),
}

function blobs(): BlobStore & { readonly kept: Map<string, Uint8Array> } {
  const kept = new Map<string, Uint8Array>()
  return {
    name: 'map',
    kept,
    async put(id, bytes) {
      kept.set(id, bytes)
      return `map:${id}`
    },
    async get(ref) {
      const bytes = kept.get(ref.slice(4))
      if (bytes === undefined) throw new PosthasteError('NOT_FOUND', `${ref} is gone`)
      return bytes
    },
  }
}

describe('the messages of an application', () => {
  it('are looked at, and groups looked after', async () => {
    const seen: string[] = []
    const { app, clock } = await started((app) => {
      app.on(events('shop.order.*', { data }), points, ({ orderNo }) => {
        seen.push(orderNo)
      })
    })
    await app.publish(Created, { orderNo: 'A1' })
    await clock.advance(0)
    const group = app.group(Created, points)
    await group.pause()
    await app.publish(Created, { orderNo: 'A2' })
    expect((await app.browse(Created)).messages.map((message) => message.data)).toEqual([{ orderNo: 'A2' }])
    expect(await group.lag()).toMatchObject({ ready: 1 })
    await group.resume()
    await clock.advance(0)
    expect(seen).toEqual(['A1', 'A2'])
    expect((await group.deadLetters.browse()).letters).toEqual([])
  })

  it('are read by the codecs that it brings', async () => {
    const seen: string[] = []
    const { app, clock } = await started(
      (app) => {
        app.on(Created, points, ({ orderNo }) => {
          seen.push(orderNo)
        })
      },
      { codecs: [backwards] },
    )
    await app.publish(event(Created.type, { data, codec: backwards }), { orderNo: 'A1' })
    await clock.advance(0)
    expect(seen).toEqual(['A1'])
  })

  it('leave big bodies in the store that it brings', async () => {
    const store = blobs()
    const seen: number[] = []
    const { app, clock } = await started(
      (app) => {
        app.on(Created, points, ({ orderNo }) => {
          seen.push(orderNo.length)
        })
      },
      { claimCheck: { store, overBytes: 1_024 } },
    )
    await app.publish(Created, { orderNo: 'x'.repeat(10_000) })
    await clock.advance(0)
    // The digest of what the store gives is awaited off the clock.
    await expect.poll(() => seen).toEqual([10_000])
    expect(store.kept.size).toBe(1)
  })

  it('need an engine', () => {
    const app = posthaste({ name: 'shop', log: recordingLog(), signals: false })
    const unsupported = expect.objectContaining({ code: 'CAPABILITY_UNSUPPORTED' })
    expect(() => app.group(Created, points)).toThrow(unsupported)
    expect(() => app.deadLetters(Created, points)).toThrow(unsupported)
    return expect(app.browse(Created)).rejects.toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
  })
})

describe('what an application says of bodies', () => {
  it('is refused together with its other mistakes', () => {
    const options = { name: '9', codecs: [{}], claimCheck: { store: {} } }
    try {
      posthaste(options as never)
      expect.unreachable()
    } catch (error) {
      expect(error).toMatchObject({ code: 'CONFIG_INVALID' })
      const paths = (error as PosthasteError).issues.map(({ path }) => path)
      expect(paths).toEqual(['app.name', 'codecs.0', 'claimCheck.store'])
    }
  })
})
