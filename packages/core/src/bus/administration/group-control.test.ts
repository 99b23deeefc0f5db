import { command, event, reject, type SeekTarget } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, gate, gated, memoryRig, Noted, scriptedRig } from '../../../test/bus/rig.ts'
import { createBus } from '../bus.ts'

/** Kept, so that groups can go back. */
const Logged = event('shop.logged', { data: z.object({ n: z.number() }), retention: { forMs: 1_000_000 } })
const of = { group: 'points' }

/** Ten events, one a second, that the group has handled. */
async function followed(options: Parameters<typeof memoryRig>[0] = {}) {
  const rig = await memoryRig(options)
  const seen: number[] = []
  rig.bus.on(Logged, of, ({ n }) => {
    seen.push(n)
  })
  await rig.bus.start()
  const startMs = rig.clock.nowMs()
  for (const n of [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]) {
    await rig.bus.publish(Logged, { n })
    await rig.clock.advance(1_000)
  }
  const group = rig.bus.group(Logged, of)
  const seek = async (to: SeekTarget): Promise<number[]> => {
    seen.length = 0
    await group.seek(to)
    await rig.clock.advance(0)
    return [...seen]
  }
  return { ...rig, startMs, seen, group, seek }
}

describe('seeking', () => {
  it('goes to the start, to a time, to a position and to what comes next', async () => {
    const { bus, clock, startMs, seek, seen } = await followed()
    expect(await seek({ to: 'earliest' })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
    expect(await seek({ atMs: startMs + 7_000 })).toEqual([7, 8, 9])
    const { messages } = await bus.browse(Logged)
    expect(await seek({ position: messages[8]!.position })).toEqual([8, 9])
    expect(await seek({ to: 'next' })).toEqual([])
    await bus.publish(Logged, { n: 10 })
    await clock.advance(0)
    expect(seen).toEqual([10])
  })

  it('to a time before the oldest that is kept begins with that', async () => {
    const { seek } = await followed()
    expect(await seek({ atMs: 0 })).toEqual([0, 1, 2, 3, 4, 5, 6, 7, 8, 9])
  })

  it('is refused while somebody else is a member, and leaves everything as it was', async () => {
    const { bus, engine, clock, group, seen } = await followed()
    const other = createBus({ name: 'shop', engine, clock, log: silent(), instance: 'shop-2' })
    other.on(Logged, of, () => {})
    await other.start()
    expect(await errorOf(group.seek({ to: 'earliest' }))).toMatchObject({ code: 'CONFLICT' })
    await clock.advance(0)
    expect(bus.stats()[0]).toMatchObject({ state: 'running' })
    await other.close()
    seen.length = 0
    await bus.publish(Logged, { n: 11 })
    await clock.advance(0)
    expect(seen).toEqual([11])
  })

  it('lets a handler that runs end first', async () => {
    const { bus, clock } = await memoryRig()
    const { runs, handler, order } = gated()
    bus.on(Logged, { ...of, concurrency: 1 }, handler)
    await bus.start()
    for (const n of [0, 1]) await bus.publish(Logged, { n })
    await clock.advance(0)
    let isThere = false
    const seeking = bus
      .group(Logged, of)
      .seek({ to: 'earliest' })
      .then(() => {
        isThere = true
      })
    await clock.advance(1_000)
    expect(isThere).toBe(false)
    runs[0]!.end.open()
    await clock.advance(0)
    await seeking
    await clock.advance(0)
    expect(order()).toEqual(['0', '0'])
    expect(runs[0]!.signal.aborted).toBe(false)
  })

  it('leaves a group paused that was', async () => {
    const { bus, clock, group, seek, seen } = await followed()
    await group.pause()
    expect(await seek({ to: 'earliest' })).toEqual([])
    expect(bus.stats()[0]).toMatchObject({ state: 'paused' })
    await group.resume()
    await clock.advance(0)
    expect(seen).toHaveLength(10)
  })

  it('and pausing take their turns', async () => {
    const { bus, clock, group, seen } = await followed()
    seen.length = 0
    const asked = [group.seek({ to: 'earliest' }), group.pause(), group.seek({ to: 'earliest' })]
    await clock.advance(0)
    await Promise.all(asked)
    expect(bus.stats()[0]).toMatchObject({ state: 'paused' })
    expect(bus.stats()[0]).toMatchObject({ unsettled: 0 })
    seen.length = 0
    await bus.group(Logged, of).resume()
    await clock.advance(0)
    expect(seen).toHaveLength(10)
  })

  it('that fails does not hold up what is asked next', async () => {
    const { group, seek } = await followed()
    expect(await errorOf(group.seek({ position: 'of another engine' }))).toMatchObject({ code: 'INVALID_ARGUMENT' })
    expect(await seek({ to: 'earliest' })).toHaveLength(10)
  })

  it('moves a group that has no handler here', async () => {
    const { bus, engine, clock, seen } = await followed()
    const tool = createBus({ name: 'tool', engine, clock, log: silent(), instance: 'tool-1' })
    await tool.start()
    await bus.group(Logged, of).pause()
    seen.length = 0
    await tool.group(Logged, of).seek({ to: 'earliest' })
    await bus.group(Logged, of).resume()
    await clock.advance(0)
    expect(seen).toHaveLength(10)
  })

  it('is of a durable group of an event', async () => {
    const { bus, clock } = await memoryRig()
    const Work = command('shop.work', { data: z.any() })
    bus.handle(Work, () => {})
    bus.on(Logged, { group: 'screen', lifetime: 'temporary' }, () => {})
    await bus.start()
    await clock.advance(0)
    const precondition = { code: 'FAILED_PRECONDITION' }
    expect(await errorOf(bus.group(Work).seek({ to: 'earliest' }))).toMatchObject(precondition)
    expect(await errorOf(bus.group(Logged, { group: 'screen' }).seek({ to: 'next' }))).toMatchObject(precondition)
    expect(await errorOf(bus.group(Logged, { group: 'nobody' }).seek({ to: 'next' }))).toMatchObject({
      code: 'NOT_FOUND',
    })
    expect(bus.stats().map(({ state }) => state)).toEqual(['running', 'running'])
  })

  it('goes to one place', async () => {
    const { group } = await followed()
    const mistakes = [{}, { to: 'latest' }, { to: 'next', atMs: 1 }, { atMs: 'now' }, { position: 4 }, { offset: 3 }, 5]
    for (const target of mistakes) {
      expect(await errorOf(group.seek(target as never))).toMatchObject({ code: 'CONFIG_INVALID' })
    }
  })
})

describe('pausing a group', () => {
  it('while handlers run waits for them, and hands back the rest uncounted', async () => {
    const { bus, clock, log } = await memoryRig()
    const { runs, handler } = gated()
    bus.on(Noted, { ...of, concurrency: 1 }, handler)
    await bus.start()
    for (const n of [1, 2, 3]) await bus.publish(Noted, { n })
    await clock.advance(0)
    const group = bus.group(Noted, of)
    const pausing = group.pause()
    await clock.advance(1_000)
    expect(bus.stats()[0]).toMatchObject({ state: 'pausing', running: 1 })
    runs[0]!.end.open()
    await clock.advance(0)
    await pausing
    expect(bus.stats()[0]).toMatchObject({ state: 'paused', acked: 1, unsettled: 0 })
    expect(await group.lag()).toEqual({ ready: 2, waiting: 0, inFlight: 0 })
    expect(log.entries.filter(({ level }) => level === 'error')).toEqual([])
    await group.resume()
    await clock.advance(0)
    expect(runs.map(({ n }) => n)).toEqual([1, 2])
  })

  it('cancels handlers after the grace', async () => {
    const { bus, clock } = await memoryRig()
    const { runs, handler } = gated()
    bus.on(Noted, of, handler)
    await bus.start()
    await bus.publish(Noted, { n: 1 })
    await clock.advance(0)
    const pausing = bus.group(Noted, of).pause({ graceMs: 500 })
    await clock.advance(2_000)
    await pausing
    expect(runs[0]!.signal.aborted).toBe(true)
    expect(bus.stats()[0]).toMatchObject({ state: 'paused', acked: 0, retried: 0 })
  })

  it('before the start keeps it from beginning', async () => {
    const { bus, clock } = await memoryRig()
    const seen: number[] = []
    bus.on(Noted, of, ({ n }) => {
      seen.push(n)
    })
    await bus.group(Noted, of).pause()
    await bus.start()
    await bus.publish(Noted, { n: 1 })
    await clock.advance(0)
    expect(seen).toEqual([])
    await bus.group(Noted, of).resume()
    await clock.advance(0)
    expect(seen).toEqual([1])
  })

  it('needs a handler here, and options that are', async () => {
    const { bus } = await memoryRig()
    const stranger = bus.group(Noted, { group: 'elsewhere' })
    expect(await errorOf(stranger.pause())).toMatchObject({ code: 'FAILED_PRECONDITION' })
    expect(await errorOf(stranger.resume())).toMatchObject({ code: 'FAILED_PRECONDITION' })
    expect(await errorOf(stranger.pause({ graceMs: -1 }))).toMatchObject({ code: 'CONFIG_INVALID' })
    expect(() => bus.group(Noted, {} as never)).toThrow(expect.objectContaining({ code: 'CONFIG_INVALID' }))
    expect(() => bus.group({} as never)).toThrow(expect.objectContaining({ code: 'CONTRACT_INVALID' }))
  })
})

describe('the lag of a group', () => {
  it('tells what is ready, waits, and is being handled', async () => {
    const { bus, clock } = await memoryRig()
    const hold = gate()
    bus.on(Noted, { ...of, concurrency: 1, prefetch: 2 }, () => hold.promise)
    await bus.start()
    for (const n of [1, 2, 3]) await bus.publish(Noted, { n })
    await bus.schedule(Noted, { n: 4 }, { delayMs: 60_000 })
    await clock.advance(0)
    expect(await bus.group(Noted, of).lag()).toEqual({ ready: 3, waiting: 1, inFlight: 2 })
    hold.open()
    await clock.advance(0)
    expect(await bus.group(Noted, of).lag()).toEqual({ ready: 0, waiting: 1, inFlight: 0 })
  })

  it('is refused where there is no such group, no such ability, or no start yet', async () => {
    const { bus } = await memoryRig()
    const group = bus.group(Noted, { group: 'nobody' })
    expect(await errorOf(group.lag())).toMatchObject({ code: 'FAILED_PRECONDITION' })
    await bus.start()
    expect(await errorOf(group.lag())).toMatchObject({ code: 'NOT_FOUND' })
    const scripted = scriptedRig()
    await scripted.bus.start()
    const blind = scripted.bus.group(Noted, of)
    expect(await errorOf(blind.lag())).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    expect(await errorOf(blind.seek({ to: 'next' }))).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
  })
})

describe('the dead letters of a group', () => {
  it('are those of its name', async () => {
    const { bus, clock } = await memoryRig()
    bus.on(Noted, { ...of, retry: false }, () => {
      throw new Error('no')
    })
    await bus.start()
    await bus.publish(Noted, { n: 1 }, { id: 'a' })
    await clock.advance(0)
    expect((await bus.group(Noted, of).deadLetters.browse()).letters).toMatchObject([{ id: 'a' }])
  })

  it('that a rule has sent apart are found under their target, and redriven from there', async () => {
    const { bus, clock } = await memoryRig()
    const state = { broken: true, seen: [] as number[] }
    const errors = [{ when: 'HANDLER_REJECTED', deadLetterTo: 'rejects' }] as const
    bus.on(Noted, { ...of, retry: false, errors }, ({ n }) => {
      if (state.broken) throw n === 1 ? reject('no') : new Error('broken')
      state.seen.push(n)
    })
    await bus.start()
    for (const n of [1, 2]) await bus.publish(Noted, { n }, { id: `m${n}` })
    await clock.advance(0)
    state.broken = false
    const apart = bus.deadLetters(Noted, { ...of, target: 'rejects' })
    expect((await apart.browse()).letters).toMatchObject([{ id: 'm1' }])
    expect((await bus.deadLetters(Noted, of).browse()).letters).toMatchObject([{ id: 'm2' }])
    expect(await apart.redrive({ all: true })).toMatchObject({ moved: 1 })
    await clock.advance(0)
    expect(state.seen).toEqual([1])
    expect((await apart.browse()).letters).toEqual([])
  })

  it('under a target that no rule has are none', async () => {
    const { bus } = await memoryRig()
    bus.on(Noted, of, () => {})
    await bus.start()
    expect(await bus.deadLetters(Noted, { ...of, target: 'rejects' }).browse()).toEqual({
      letters: [],
      next: undefined,
    })
    expect(() => bus.deadLetters(Noted, { ...of, target: 'a.b' })).toThrow(
      expect.objectContaining({ code: 'CONFIG_INVALID' }),
    )
  })
})

function silent() {
  return { debug() {}, info() {}, warn() {}, error() {} }
}
