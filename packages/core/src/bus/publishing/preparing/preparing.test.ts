import { command, type Engine, type Preparing as EnginePreparing, event, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, half, type MemoryRig, memoryRig, Noted, scriptedRig } from '../../../../test/bus/rig.ts'
import { timerWheel } from '../../../pipeline/timer-wheel.ts'
import { type Bus, createBus } from '../../bus.ts'
import type { Resolution, UnresolvedMessage } from './check-back.ts'
import type { UnresolvedOptions } from './options.ts'

const Paid = event('shop.paid', { data: z.object({ orderNo: z.string() }), key: ({ orderNo }) => orderNo })
const order = { orderNo: 'o1' }

/** Another process of the same application, on the same engine. */
function anotherBus({ engine, clock, log }: MemoryRig): Bus {
  return createBus({ name: 'shop', engine, clock, log, instance: 'shop-2', random: half })
}

function preparingOf({ preparing }: Engine): EnginePreparing {
  if (preparing === undefined) throw new Error('the engine cannot prepare')
  return preparing
}

/** The engine with some of preparing done by the test. */
function instead(inner: Engine, changes: Partial<EnginePreparing>): Engine {
  return {
    name: inner.name,
    capabilities: inner.capabilities,
    open: (host) => inner.open(host),
    declare: (topology) => inner.declare(topology),
    publish: (records) => inner.publish(records),
    subscribe: (spec, sink) => inner.subscribe(spec, sink),
    close: () => inner.close(),
    preparing: { ...preparingOf(inner), ...changes },
  }
}

/** What a group of another application gets. */
async function listen(bus: Bus): Promise<string[]> {
  const seen: string[] = []
  bus.on(Paid, { group: 'points' }, ({ orderNo }) => {
    seen.push(orderNo)
  })
  await bus.start()
  return seen
}

/** A bus that answers with what the script says, and a list of what it was asked. */
async function asking(answer: (message: UnresolvedMessage) => unknown, options: UnresolvedOptions = {}) {
  const rig = await memoryRig()
  const asked: (UnresolvedMessage & { readonly atMs: number })[] = []
  const startMs = rig.clock.nowMs()
  rig.bus.onUnresolved(Paid, options, (message) => {
    asked.push({ ...message, atMs: rig.clock.nowMs() - startMs })
    return answer(message) as Resolution
  })
  const seen = await listen(rig.bus)
  return { ...rig, asked, seen }
}

describe('a prepared message', () => {
  it('is seen by nobody until it is committed', async () => {
    const { bus, clock } = await memoryRig()
    const seen = await listen(bus)
    const { id, commit } = await bus.prepare(Paid, order)
    await clock.advance(60_000)
    expect(seen).toEqual([])
    expect(await bus.prepared(Paid).list()).toMatchObject([{ id, key: 'o1', data: order, checks: 0 }])
    await commit()
    await clock.advance(1)
    expect(seen).toEqual(['o1'])
    expect(await bus.prepared(Paid).list()).toEqual([])
  })

  it('is never seen after it is rolled back', async () => {
    const { bus, clock } = await memoryRig()
    const seen = await listen(bus)
    await (await bus.prepare(Paid, order)).rollback()
    await clock.advance(60_000)
    expect(seen).toEqual([])
    expect(await bus.prepared(Paid).list()).toEqual([])
  })

  it('may be a command, and carries what is said about it', async () => {
    const Pay = command('shop.pay', { data: z.object({ n: z.number() }) })
    const { bus, clock } = await memoryRig()
    const seen: unknown[] = []
    bus.handle(Pay, (_, { id, correlationId, headers }) => {
      seen.push([id, correlationId, headers.tenant])
    })
    await bus.start()
    const { commit } = await bus.prepare(
      Pay,
      { n: 1 },
      { id: 'p1', correlationId: 'c1', headers: { tenant: 't1' }, checkAfterMs: 1 },
    )
    await commit()
    await clock.advance(1)
    expect(seen).toEqual([['p1', 'c1', 't1']])
  })

  it('is checked like any other', async () => {
    const { bus } = await memoryRig()
    await bus.start()
    expect(await errorOf(bus.prepare(Paid, { orderNo: 7 } as never))).toMatchObject({ code: 'PAYLOAD_INVALID' })
    const wrong = { checkAfterMs: -1, delayMs: 5, priority: -1, retries: 2 } as never
    const { code, issues } = await errorOf(bus.prepare(Paid, order, wrong))
    expect(code).toBe('CONFIG_INVALID')
    expect(issues.map(({ path }) => path)).toEqual(['prepare.checkAfterMs', 'priority', 'retries'])
    expect(await errorOf(bus.prepare(Paid, order, { atMs: 5 } as never))).toMatchObject({ issues: [{ path: 'atMs' }] })
    expect(await errorOf(bus.prepare({} as never, order as never))).toMatchObject({ code: 'CONTRACT_INVALID' })
  })

  it('is prepared under one id only once', async () => {
    const { bus } = await memoryRig()
    await bus.start()
    await bus.prepare(Paid, order, { id: 'p1' })
    expect(await errorOf(bus.prepare(Paid, order, { id: 'p1' }))).toMatchObject({ code: 'CONFLICT' })
  })
})

describe('the first decision', () => {
  it('counts: the same again is the same, another one a conflict', async () => {
    const { bus } = await memoryRig()
    await bus.start()
    const { commit, rollback } = await bus.prepare(Paid, order)
    const first = commit()
    expect(commit()).toBe(first)
    expect(await errorOf(rollback())).toMatchObject({ code: 'CONFLICT' })
    await first
    expect(await errorOf(rollback())).toMatchObject({ code: 'CONFLICT' })
  })

  it('counts between processes, too: whoever comes later finds nothing', async () => {
    const rig = await memoryRig()
    await rig.bus.start()
    const other = anotherBus(rig)
    await other.start()
    const { id, commit } = await rig.bus.prepare(Paid, order)
    await other.prepared(Paid).rollback(id)
    expect(await errorOf(commit())).toMatchObject({ code: 'NOT_FOUND' })
    expect(await errorOf(other.prepared(Paid).commit(id))).toMatchObject({ code: 'NOT_FOUND' })
  })

  it('may be made again, or be another one, where the engine failed', async () => {
    const rig = await memoryRig()
    const preparing = preparingOf(rig.engine)
    let failures = 2
    const commit: EnginePreparing['commit'] = async (names) => {
      if (failures-- > 0) throw new PosthasteError('UNAVAILABLE', 'no connection')
      return preparing.commit(names)
    }
    const engine = instead(rig.engine, { commit })
    const bus = anotherBus({ ...rig, engine })
    await bus.start()
    const one = await bus.prepare(Paid, order)
    expect(await errorOf(one.commit())).toMatchObject({ code: 'UNAVAILABLE' })
    await one.rollback()
    const other = await bus.prepare(Paid, order)
    expect(await errorOf(other.commit())).toMatchObject({ code: 'UNAVAILABLE' })
    await other.commit()
  })

  it('is missed where the engine says nothing about it', async () => {
    const rig = await memoryRig()
    const engine = instead(rig.engine, { commit: async () => [] })
    const bus = anotherBus({ ...rig, engine })
    await bus.start()
    expect(await errorOf((await bus.prepare(Paid, order)).commit())).toMatchObject({ code: 'UNAVAILABLE' })
  })
})

describe('asking back', () => {
  it('waits for the time that was given, and follows the answer', async () => {
    const { bus, clock, asked, seen } = await asking(({ key }) => (key === 'o1' ? 'commit' : 'rollback'))
    const { id } = await bus.prepare(Paid, order)
    await bus.prepare(Paid, { orderNo: 'o2' }, { checkAfterMs: 9_000 })
    await clock.advance(5_990)
    expect(asked).toEqual([])
    await clock.advance(30)
    expect(asked).toMatchObject([{ id, data: order, key: 'o1', checks: 0 }])
    expect(seen).toEqual(['o1'])
    await clock.advance(60_000)
    expect(asked).toHaveLength(2)
    expect(seen).toEqual(['o1'])
    expect(await bus.prepared(Paid).list()).toEqual([])
  })

  it('asks nothing about what was decided in time', async () => {
    const { bus, clock, asked } = await asking(() => 'commit')
    await (await bus.prepare(Paid, order)).commit()
    await clock.advance(600_000)
    expect(asked).toEqual([])
  })

  it('asks about what a process left behind that died', async () => {
    const rig = await memoryRig()
    await rig.bus.start()
    await rig.bus.prepare(Paid, order)
    await rig.clock.advance(3_600_000)
    const later = anotherBus(rig)
    later.onUnresolved(Paid, {}, () => 'commit')
    const seen = await listen(later)
    await rig.clock.advance(20)
    expect(seen).toEqual(['o1'])
  })

  it('asks about what another process prepares while this one runs', async () => {
    const rig = await asking(() => 'commit')
    const other = anotherBus(rig)
    await other.start()
    await rig.clock.advance(20)
    await other.prepare(Paid, order, { checkAfterMs: 1 })
    await rig.clock.advance(10_020)
    expect(rig.seen).toEqual(['o1'])
  })

  it('asks again after growing waits while nobody knows, then leaves it to people', async () => {
    let answers = 0
    const rig = await asking(
      () => {
        answers += 1
        if (answers === 2) throw new Error('database down')
        return answers === 3 ? 'perhaps' : 'unknown'
      },
      { backoff: { baseMs: 10_000, maxMs: 25_000 }, checksMax: 4 },
    )
    const { bus, clock, asked, seen, log } = rig
    const { id } = await bus.prepare(Paid, order, { checkAfterMs: 1_000 })
    await clock.advance(600_000)
    // Three quarters of 10, 20 and 25 seconds, since chance says half.
    expect(asked.map(({ checks }) => checks)).toEqual([0, 1, 2, 3])
    expect(asked.map(({ atMs }) => Math.round(atMs / 100) * 100)).toEqual([1_000, 8_500, 23_500, 42_300])
    expect(await bus.prepared(Paid).list()).toMatchObject([{ id, checks: 4, checkAtMs: Number.POSITIVE_INFINITY }])
    expect(log.entries.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { id, checks: 4 } }])
    await bus.prepared(Paid).commit(id)
    await clock.advance(1)
    expect(seen).toEqual(['o1'])
  })

  it('does not wait for an answer for ever', async () => {
    const { bus, clock, asked } = await asking(() => new Promise(() => {}), { timeoutMs: 1_000, checksMax: 1 })
    await bus.prepare(Paid, order)
    await clock.advance(8_000)
    expect(asked).toHaveLength(1)
    expect(await bus.prepared(Paid).list()).toMatchObject([{ checks: 1 }])
  })

  it('lets two processes ask, and the first answer count', async () => {
    const rig = await asking(() => 'commit')
    const other = anotherBus(rig)
    let others = 0
    other.onUnresolved(Paid, {}, () => {
      others += 1
      return 'rollback'
    })
    await other.start()
    await rig.bus.prepare(Paid, order)
    await rig.clock.advance(20_000)
    expect(rig.asked.length + others).toBeGreaterThan(0)
    expect(await rig.bus.prepared(Paid).list()).toEqual([])
    expect(rig.log.entries.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  })

  it('gets through more than it asks about at a time', async () => {
    const { bus, clock, seen } = await asking(() => 'commit')
    for (let n = 0; n < 100; n++) await bus.prepare(Paid, { orderNo: `o${n}` })
    await clock.advance(6_200)
    expect(seen).toHaveLength(100)
  })

  it('goes on when the engine fails, without spinning', async () => {
    const rig = await memoryRig()
    const preparing = preparingOf(rig.engine)
    let looks = 0
    const prepared: EnginePreparing['prepared'] = async (channel, limit) => {
      looks += 1
      if (looks < 4) throw new PosthasteError('UNAVAILABLE', 'no connection')
      return preparing.prepared(channel, limit)
    }
    const engine = instead(rig.engine, { prepared })
    const bus = anotherBus({ ...rig, engine })
    bus.onUnresolved(Paid, {}, () => 'commit')
    const seen = await listen(bus)
    await rig.clock.advance(20)
    await rig.clock.advance(9_900)
    expect(looks).toBe(1)
    await bus.prepare(Paid, order, { checkAfterMs: 0 })
    await rig.clock.advance(40_000)
    expect(looks).toBeLessThan(10)
    expect(seen).toEqual(['o1'])
  })

  it('does not spin where the engine takes no decision', async () => {
    const rig = await memoryRig()
    const commit: EnginePreparing['commit'] = async () => {
      throw new PosthasteError('UNAVAILABLE', 'no connection')
    }
    const bus = anotherBus({ ...rig, engine: instead(rig.engine, { commit }) })
    let asked = 0
    bus.onUnresolved(Paid, {}, () => {
      asked += 1
      return 'commit'
    })
    await bus.start()
    for (let n = 0; n < 30; n++) await bus.prepare(Paid, { orderNo: `o${n}` })
    await rig.clock.advance(15_000)
    expect(asked).toBe(16)
    expect(rig.log.entries.filter(({ level }) => level === 'warn')).toHaveLength(1)
  })

  it('says nothing where somebody else has decided meanwhile', async () => {
    const rig = await memoryRig()
    rig.bus.onUnresolved(Paid, {}, async ({ id }): Promise<Resolution> => {
      await rig.bus.prepared(Paid).rollback(id)
      return 'commit'
    })
    const seen = await listen(rig.bus)
    await rig.bus.prepare(Paid, order)
    await rig.clock.advance(60_000)
    expect(seen).toEqual([])
    expect(rig.log.entries.filter(({ level }) => level === 'warn')).toEqual([])
  })

  it('shows people what it cannot read, and asks nobody about it', async () => {
    const { bus, engine, clock, asked } = await asking(() => 'commit', { checksMax: 1 })
    await engine.preparing?.prepare(
      { id: 'odd', channel: 'shop.paid', key: 'k', headers: {}, body: new Uint8Array([1]) },
      clock.nowMs(),
    )
    await clock.advance(20_000)
    expect(asked).toEqual([])
    expect(await bus.prepared(Paid).list()).toMatchObject([
      { id: 'odd', data: undefined, error: { code: 'BODY_MALFORMED' }, checks: 1 },
    ])
  })

  it('ends with the bus, after the question under way or the grace', async () => {
    const rig = await memoryRig()
    const { engine, clock, log } = rig
    let looks = 0
    const prepared: EnginePreparing['prepared'] = async (channel, limit) => {
      looks += 1
      return preparingOf(engine).prepared(channel, limit)
    }
    // The timers outlive the bus, as those of an application do.
    const shared = { engine: instead(engine, { prepared }), clock, log, timers: timerWheel(clock) }
    const bus = createBus({ name: 'shop', instance: 'shop-2', ...shared })
    let asked = 0
    bus.onUnresolved(Paid, { timeoutMs: 1_000 }, () => {
      asked += 1
      return new Promise(() => {})
    })
    await bus.start()
    await bus.prepare(Paid, order)
    await clock.advance(6_020)
    expect(asked).toBe(1)
    const closed = bus.close({ graceMs: 100 })
    await clock.advance(120)
    await closed
    const before = looks
    await clock.advance(600_000)
    expect(asked).toBe(1)
    expect(looks).toBe(before)
  })

  it('may begin while the bus starts', async () => {
    const { bus, clock } = await memoryRig()
    const starting = bus.start()
    bus.onUnresolved(Paid, {}, () => 'rollback')
    await starting
    await bus.prepare(Paid, order, { checkAfterMs: 0 })
    await clock.advance(20_000)
    expect(await bus.prepared(Paid).list()).toEqual([])
  })

  it('may begin while the bus runs', async () => {
    const { bus, clock } = await memoryRig()
    await bus.start()
    await bus.prepare(Paid, order, { checkAfterMs: 0 })
    bus.onUnresolved(Paid, {}, () => 'rollback')
    await clock.advance(20)
    expect(await bus.prepared(Paid).list()).toEqual([])
  })
})

describe('preparing on an engine that cannot', () => {
  it('is refused, before anything starts where it is known by then', async () => {
    const { bus, engine } = scriptedRig()
    bus.onUnresolved(Noted, {}, () => 'commit')
    expect(await errorOf(bus.start())).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    expect(engine.topologies).toEqual([])
    const other = scriptedRig()
    await other.bus.start()
    for (const refused of [other.bus.prepare(Noted, { n: 1 }), other.bus.prepared(Noted).list()])
      expect(await errorOf(refused)).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    expect(() => other.bus.onUnresolved(Noted, {}, () => 'commit')).toThrow(
      expect.objectContaining({ code: 'CAPABILITY_UNSUPPORTED' }),
    )
  })
})

describe('what is said about asking back', () => {
  it('is refused with every mistake at once', async () => {
    const { bus } = await memoryRig()
    const wrong = { backoff: { baseMs: 0, factor: 3 }, checksMax: 0, timeoutMs: 0, retries: 1 } as never
    expect(() => bus.onUnresolved(Paid, wrong, () => 'commit')).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['retries', 'checksMax', 'timeoutMs', 'backoff.factor', 'backoff.baseMs'].map((name) =>
          expect.objectContaining({ path: `onUnresolved(shop.paid).${name}` }),
        ),
      }),
    )
    const narrow = { backoff: { baseMs: 10, maxMs: 5 } }
    expect(() => bus.onUnresolved(Paid, narrow, () => 'commit')).toThrow(/maxMs/)
    expect(() => bus.onUnresolved(Paid, {}, undefined as never)).toThrow(/function/)
    bus.onUnresolved(Paid, {}, () => 'commit')
    expect(() => bus.onUnresolved(Paid, {}, () => 'commit')).toThrow(
      expect.objectContaining({ code: 'CONTRACT_DUPLICATE' }),
    )
    await bus.start()
    expect(await errorOf(bus.prepared(Paid).list({ limit: 0 }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await errorOf(bus.prepared(Paid).commit(''))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    await bus.close()
    expect(() => bus.onUnresolved(Noted, {}, () => 'commit')).toThrow(
      expect.objectContaining({ code: 'ENGINE_CLOSED' }),
    )
  })
})
