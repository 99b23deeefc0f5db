import type {
  Delivery,
  DeliverySink,
  Engine,
  EngineSubscription,
  OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { manualClock, type RecordingLog, recordingLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest'
import { copyAsKilled, Directories } from '../test/installation.ts'
import { embedded } from './embedded.ts'
import { Store } from './storage/store.ts'

const topology = {
  channels: [{ name: 'work', kind: 'queue' as const, keyed: false }],
  groups: [{ channel: 'work', group: 'workers', from: 'earliest' as const }],
}

const record = (id: string): OutgoingRecord => ({ id, channel: 'work', headers: {}, body: Buffer.from(id) })
const refused = { ok: false, error: expect.objectContaining({ code: 'ENGINE_WRITE_FAILED' }) }
const diskFull = Object.assign(new Error('No space left on device'), { code: 28 })

class Sink implements DeliverySink {
  readonly deliveries: Delivery[] = []
  readonly causes: PosthasteError[] = []
  #awaited: { count: number; resolve: () => void } | undefined

  deliver(batch: readonly Delivery[]): void {
    this.deliveries.push(...batch)
    if (this.deliveries.length >= (this.#awaited?.count ?? Number.POSITIVE_INFINITY)) this.#awaited?.resolve()
  }

  lost(): void {}

  closed(cause: PosthasteError): void {
    this.causes.push(cause)
  }

  has(count: number): Promise<void> {
    if (this.deliveries.length >= count) return Promise.resolve()
    return new Promise((resolve) => {
      this.#awaited = { count, resolve }
    })
  }
}

let directories: Directories
let dir: string
let log: RecordingLog
let states: [string, string | undefined][]
let engine: Engine
let sink: Sink
let subscription: EngineSubscription
let unhandled: unknown[]

const onUnhandled = (reason: unknown): void => void unhandled.push(reason)

async function opened(): Promise<Engine> {
  const fresh = embedded({ dir })
  const onState = (state: string, cause?: PosthasteError): void => void states.push([state, cause?.code])
  await fresh.open({ clock: manualClock(), log, instance: 'test', random: () => 0.5, onState })
  return fresh
}

async function idsIn(opened: Engine): Promise<string[]> {
  const page = await opened.browsing?.browse({ channel: 'work', limit: 10 })
  return page?.records.map((each) => each.record.id) ?? []
}

/** From here on every transaction fails, before anything of it is written. */
function breakDisk() {
  return vi.spyOn(Store.prototype, 'commit').mockImplementation(async (change) => {
    change({ put: () => {}, remove: () => {} })
    throw diskFull
  })
}

beforeEach(async () => {
  unhandled = []
  process.on('unhandledRejection', onUnhandled)
  directories = new Directories()
  dir = directories.fresh()
  log = recordingLog()
  states = []
  engine = await opened()
  await engine.declare(topology)
  sink = new Sink()
  subscription = await engine.subscribe({ channel: 'work', group: 'workers', member: 'm' }, sink)
  subscription.grant(10)
  await engine.publish([record('1'), record('2')])
  await sink.has(2)
})

afterEach(async () => {
  vi.restoreAllMocks()
  await engine.close().catch(() => {})
  directories.remove()
  process.off('unhandledRejection', onUnhandled)
  expect(unhandled).toEqual([])
})

describe('a write that fails', () => {
  it('is told to every publisher, for each of its records, and to every settler', async () => {
    breakDisk()
    const tag = sink.deliveries[0]?.tag ?? 0
    const publishes = [engine.publish([record('3'), record('4')]), engine.publish([record('5')])]
    const settles = [
      subscription.settle([{ kind: 'ack', tag, publish: [record('6')] }]),
      subscription.settle([{ kind: 'release', tag: tag + 1, countsAttempt: true }]),
    ]
    expect(await Promise.all(publishes)).toEqual([[refused, refused], [refused]])
    expect(await Promise.all(settles)).toEqual([[refused], [refused]])
  })

  it('is told to whoever declares, cancels and moves', async () => {
    await engine.publish([{ ...record('due'), dueAtMs: manualClock().nowMs() + 1_000 }])
    breakDisk()
    const others = { channels: [{ name: 'more', kind: 'log' as const, keyed: false }], groups: [] }
    const asked = [
      engine.declare(others),
      engine.scheduling?.cancel('work', 'due'),
      engine.browsing?.move('work', [{ position: sink.deliveries[0]?.position ?? '', publish: [] }]),
    ]
    for (const each of asked) await expect(each).rejects.toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
  })

  it('ends subscriptions and says lost once, with the cause in the words of the disk', async () => {
    breakDisk()
    await Promise.all([engine.publish([record('3')]), engine.publish([record('4')])])
    expect(sink.causes).toHaveLength(1)
    expect(sink.causes[0]).toMatchObject({ code: 'ENGINE_WRITE_FAILED', cause: diskFull })
    expect(states).toEqual([
      ['connected', undefined],
      ['lost', 'ENGINE_WRITE_FAILED'],
    ])
    const told = log.entries.filter(({ level }) => level === 'error')
    expect(told).toEqual([expect.objectContaining({ fields: { cause: expect.stringContaining('No space left') } })])
  })

  it('is final: nothing is taken any more, though the disk could write again', async () => {
    const broken = breakDisk()
    await engine.publish([record('3')])
    broken.mockRestore()
    expect(await engine.publish([record('4'), record('5')])).toEqual([refused, refused])
    const again = engine.subscribe({ channel: 'work', group: 'workers', member: 'n' }, new Sink())
    await expect(again).rejects.toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
    await expect(engine.declare(topology)).rejects.toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
    await expect(engine.lag?.lag('work', 'workers')).rejects.toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
  })

  it('delivers nothing that it could not store, and no more of what it could', async () => {
    subscription.grant(10)
    breakDisk()
    await engine.publish([record('3')])
    subscription.grant(10)
    await engine.publish([])
    expect(sink.deliveries.map((each) => each.record.id)).toEqual(['1', '2'])
  })

  it('loses nothing that was confirmed, which the next process finds', async () => {
    breakDisk()
    await engine.publish([record('3')])
    await engine.close()
    vi.restoreAllMocks()
    const next = directories.fresh()
    await copyAsKilled(dir, next)
    dir = next
    engine = await opened()
    expect(await idsIn(engine)).toEqual(['1', '2'])
  })
})

describe('closing', () => {
  it('of an engine whose last write fails says so, each time, and closes the store all the same', async () => {
    breakDisk()
    const closeStore = vi.spyOn(Store.prototype, 'close')
    for (let time = 0; time < 2; time++)
      await expect(engine.close()).rejects.toMatchObject({ code: 'ENGINE_WRITE_FAILED' })
    expect(closeStore).toHaveBeenCalledOnce()
    await expect(engine.publish([record('3')])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })

  it('answers what was published and settled before it, and durably', async () => {
    const tag = sink.deliveries[0]?.tag ?? 0
    const published = engine.publish([record('3')])
    const settled = subscription.settle([{ kind: 'ack', tag }])
    const closed = engine.close()
    expect(await published).toEqual([{ ok: true }])
    expect(await settled).toEqual([{ ok: true }])
    await closed
    engine = await opened()
    expect(await idsIn(engine)).toEqual(['2', '3'])
  })

  it('never leaves a settlement unanswered, however late it comes', async () => {
    const commit = vi.spyOn(Store.prototype, 'commit')
    const last = new Promise<void>((resolve) => {
      const { commit: write } = Store.prototype
      commit.mockImplementationOnce(function (this: Store, change) {
        resolve()
        return write.call(this, change)
      })
    })
    const closed = engine.close()
    await last
    const [outcome] = await subscription.settle([{ kind: 'ack', tag: sink.deliveries[0]?.tag ?? 0 }])
    expect(outcome).toMatchObject({ ok: false })
    await closed
    await expect(subscription.settle([{ kind: 'ack', tag: 1 }])).resolves.toMatchObject([{ ok: false }])
    await expect(subscription.stop()).resolves.toBeUndefined()
  })
})
