import { command, event } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, memoryRig, Noted, scriptedRig } from '../../../test/bus/rig.ts'

const data = z.object({ n: z.number() })
const Urgent = event('shop.urgent', { data, priorities: 3 })
const Brief = event('shop.brief', { data, timeToLiveMs: 1_000 })
const Once = command('shop.once', { data, deduplicateForMs: 60_000 })

const can = { priorityLevels: 3, deduplicateForMsMax: 60_000 }

describe('the time to live of one message', () => {
  it('goes before the contract’s, and counts from when it may be handled', async () => {
    const { bus, engine, clock } = scriptedRig()
    await bus.start()
    await bus.publish(Brief, { n: 1 })
    await bus.publish(Brief, { n: 2 }, { timeToLiveMs: 5 })
    await bus.publish(Noted, { n: 3 }, { timeToLiveMs: 5, delayMs: 100 })
    await bus.publish(Noted, { n: 4 })
    const nowMs = clock.nowMs()
    expect(engine.records.map(({ expiresAtMs }) => expiresAtMs)).toEqual([
      nowMs + 1_000,
      nowMs + 5,
      nowMs + 105,
      undefined,
    ])
  })
})

describe('the priority of one message', () => {
  it('travels with it', async () => {
    const { bus, engine } = scriptedRig({ can })
    await bus.start()
    await bus.publish(Urgent, { n: 1 }, { priority: 2 })
    await bus.publish(Urgent, { n: 2 })
    expect(engine.records.map(({ priority }) => priority)).toEqual([2, undefined])
    expect(engine.topologies.at(-1)?.channels).toMatchObject([{ name: 'shop.urgent', priorities: 3 }])
  })

  it('is refused where the contract has none so high', async () => {
    const { bus, engine } = scriptedRig({ can })
    await bus.start()
    const error = await errorOf(bus.publish(Urgent, { n: 1 }, { priority: 3 }))
    expect(error).toMatchObject({ code: 'CONFIG_INVALID', issues: [{ path: 'priority' }] })
    expect(await errorOf(bus.publish(Noted, { n: 1 }, { priority: 1 }))).toMatchObject({ code: 'CONFIG_INVALID' })
    await bus.publish(Noted, { n: 1 }, { priority: 0 })
    expect(engine.records).toHaveLength(1)
  })
})

describe('what a contract asks of its channel', () => {
  it('is refused before anything leaves where the engine has less of it', async () => {
    const { bus, engine } = scriptedRig({ can: { priorityLevels: 2, deduplicateForMsMax: 59_999 } })
    await bus.start()
    for (const publishing of [bus.publish(Urgent, { n: 1 }), bus.send(Once, { n: 1 })]) {
      expect(await errorOf(publishing)).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    }
    expect(engine.records).toEqual([])
  })

  it('is refused with everything else that handlers lack', async () => {
    const { bus } = scriptedRig()
    bus.on(Urgent, { group: 'points' }, () => {})
    bus.handle(Once, () => {})
    expect((await errorOf(bus.start())).issues).toEqual([
      { path: 'shop.urgent@points', message: 'has 3 priorities; the engine has 1' },
      { path: 'shop.once@handler', message: 'recognises ids for 60000 ms; the engine does for 0 ms' },
    ])
  })

  it('must be the same in two contracts of one name', async () => {
    const { bus } = scriptedRig({ can })
    await bus.start()
    await bus.publish(Urgent, { n: 1 })
    await bus.send(Once, { n: 1 })
    for (const other of [event('shop.urgent', { data }), event('shop.urgent', { data, priorities: 2 })])
      expect(await errorOf(bus.publish(other, { n: 1 }))).toMatchObject({ code: 'CONTRACT_DUPLICATE' })
    const shorter = command('shop.once', { data, deduplicateForMs: 1 })
    expect(await errorOf(bus.send(shorter, { n: 1 }))).toMatchObject({ code: 'CONTRACT_DUPLICATE' })
  })

  it('takes one level for what is said nothing about', async () => {
    const { bus } = scriptedRig()
    await bus.start()
    await bus.publish(Noted, { n: 1 })
    await bus.publish(event('shop.noted', { data, priorities: 1 }), { n: 1 })
  })
})

describe('deduplication', () => {
  it('confirms a repeated id within the window and has it handled once', async () => {
    const { bus, clock } = await memoryRig()
    let handled = 0
    bus.handle(Once, () => {
      handled += 1
    })
    await bus.start()
    for (let time = 0; time < 3; time++) expect(await bus.send(Once, { n: 1 }, { id: 'same' })).toEqual({ id: 'same' })
    await clock.advance(1)
    expect(handled).toBe(1)
    await clock.advance(60_000)
    await bus.send(Once, { n: 1 }, { id: 'same' })
    await clock.advance(1)
    expect(handled).toBe(2)
  })
})
