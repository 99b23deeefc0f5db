import { command, event, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { z } from 'zod'
import { errorOf, half, type MemoryRig, memoryRig, recordOf, scriptedRig } from '../../../../test/bus/rig.ts'
import { type Bus, createBus } from '../../bus.ts'
import { type RecurrenceOptions, recurrenceOf } from './recurrence.ts'

const Closed = event('shop.day.closed', { data: z.object({ at: z.string() }) })
const Sweep = command('shop.sweep', { data: z.object({ n: z.number() }) })

const minuteMs = 60_000
const hourMs = 60 * minuteMs

const hourly: RecurrenceOptions<typeof Closed> = {
  name: 'hourly',
  cron: '0 * * * *',
  data: (atMs) => ({ at: new Date(atMs).toISOString().slice(11, 16) }),
}

/** Another process of the same application, on the same engine. */
function anotherBus({ engine, clock, log }: MemoryRig, instance = 'shop-2'): Bus {
  return createBus({ name: 'shop', engine, clock, log, instance, random: half })
}

/** Lists what comes: the time it is for, and when it came. */
function listen(bus: Bus, { clock }: MemoryRig, group = 'books'): { at: string; came: string; id: string }[] {
  const seen: { at: string; came: string; id: string }[] = []
  bus.on(Closed, { group }, ({ at }, { id }) => {
    seen.push({ at, came: new Date(clock.nowMs()).toISOString().slice(11, 16), id })
  })
  return seen
}

async function recurring(options: Partial<RecurrenceOptions<typeof Closed>> = {}) {
  const rig = await memoryRig()
  const seen = listen(rig.bus, rig)
  rig.bus.recur(Closed, { ...hourly, ...options })
  await rig.bus.start()
  return { ...rig, seen }
}

const times = (seen: readonly { readonly at: string }[]): string[] => seen.map(({ at }) => at)

const ticks = 'posthaste.recurring.shop'

/** How many ticks wait. */
async function waiting({ engine }: MemoryRig): Promise<number> {
  return (await engine.lag?.lag(ticks, 'handler'))?.waiting ?? 0
}

/** The tick of {@link hourly} for a time. */
function tickFor(atMs: number): OutgoingRecord {
  const { name, digest } = recurrenceOf(Closed, hourly as RecurrenceOptions, 0)
  const body = new TextEncoder().encode(JSON.stringify({ name, digest, atMs }))
  return recordOf({ id: `${name}:${digest}:${atMs}`, channel: ticks, key: `${name}:${digest}`, body })
}

describe('a recurring message', () => {
  it('is published at its times, each with an id of its own', async () => {
    const { clock, seen } = await recurring()
    await clock.advance(3 * hourMs + minuteMs)
    expect(seen.map(({ at, came }) => `${at} ${came}`)).toEqual(['01:00 01:00', '02:00 02:00', '03:00 03:00'])
    expect(new Set(seen.map(({ id }) => id)).size).toBe(3)
  })

  it('may be a command with the same data each time, in a zone of its own', async () => {
    const { bus, clock } = await memoryRig()
    const seen: string[] = []
    bus.handle(Sweep, ({ n }, { id, correlationId }) => {
      seen.push(`${n} ${new Date(clock.nowMs()).toISOString().slice(11, 16)} ${id === correlationId}`)
    })
    bus.recur(Sweep, { name: 'sweep', cron: '0 9 * * *', timeZone: 'Asia/Shanghai', data: { n: 7 } })
    await bus.start()
    await clock.advance(24 * hourMs)
    expect(seen).toEqual(['7 01:00 true'])
  })

  it('keeps its local time over a change of the clock', async () => {
    const rig = await memoryRig()
    const seen: string[] = []
    rig.bus.on(Closed, { group: 'books' }, () => {
      seen.push(new Date(rig.clock.nowMs()).toISOString().slice(5, 16))
    })
    rig.clock.jump(Date.parse('2026-03-27T12:00:00Z') - rig.clock.nowMs())
    rig.bus.recur(Closed, { name: 'morning', cron: '0 9 * * *', timeZone: 'Europe/Berlin', data: { at: '' } })
    await rig.bus.start()
    await rig.clock.advance(72 * hourMs)
    expect(seen).toEqual(['03-28T08:00', '03-29T07:00', '03-30T07:00'])
  })

  it('waits for its data', async () => {
    const { clock, seen } = await recurring({ data: async () => ({ at: 'later' }) })
    await clock.advance(hourMs + minuteMs)
    expect(times(seen)).toEqual(['later'])
  })

  it('may begin while the bus starts', async () => {
    const rig = await memoryRig()
    const seen = listen(rig.bus, rig)
    const starting = rig.bus.start()
    rig.bus.recur(Closed, hourly)
    await starting
    await rig.clock.advance(hourMs + minuteMs)
    expect(times(seen)).toEqual(['01:00'])
  })

  it('may begin while the bus runs', async () => {
    const rig = await memoryRig()
    const seen = listen(rig.bus, rig)
    await rig.bus.start()
    rig.bus.recur(Closed, hourly)
    rig.bus.recur(Closed, { ...hourly, name: 'half', cron: '30 * * * *' })
    await rig.clock.advance(hourMs + minuteMs)
    expect(times(seen)).toEqual(['00:30', '01:00'])
  })
})

describe('several instances', () => {
  it('that begin at once publish each time once', async () => {
    const rig = await memoryRig()
    const buses = [rig.bus, anotherBus(rig), anotherBus(rig, 'shop-3')]
    const seen = listen(rig.bus, rig)
    for (const bus of buses) bus.recur(Closed, hourly)
    await Promise.all(buses.map((bus) => bus.start()))
    expect(await waiting(rig)).toBe(1)
    await rig.clock.advance(3 * hourMs + minuteMs)
    expect(times(seen)).toEqual(['01:00', '02:00', '03:00'])
    expect(await waiting(rig)).toBe(1)
  })

  it('carry on when one of them goes', async () => {
    const rig = await memoryRig()
    const other = anotherBus(rig)
    rig.bus.recur(Closed, hourly)
    other.recur(Closed, hourly)
    const seen = listen(other, rig)
    await rig.bus.start()
    await other.start()
    await rig.bus.close()
    await rig.clock.advance(2 * hourMs + minuteMs)
    expect(times(seen)).toEqual(['01:00', '02:00'])
  })

  it('of two versions each do what they say, and the newer one goes on alone', async () => {
    const rig = await memoryRig()
    const newer = anotherBus(rig)
    const seen = listen(rig.bus, rig)
    rig.bus.recur(Closed, hourly)
    newer.recur(Closed, { ...hourly, cron: '15 * * * *' })
    await rig.bus.start()
    await newer.start()
    await rig.clock.advance(4 * hourMs + minuteMs)
    // Each may get the other's ticks, and leaves them to the other.
    expect(times(seen).sort()).toEqual(['00:15', '01:00', '01:15', '02:00', '02:15', '03:00', '03:15', '04:00'])
    await rig.bus.close()
    const later = listen(newer, rig, 'later')
    await rig.clock.advance(4 * hourMs)
    expect(times(later)).toEqual(['04:15', '05:15', '06:15', '07:15'])
    expect(await waiting(rig)).toBe(1)
  })
})

describe('a tick that an instance does not know', () => {
  it('is left to another that does, for a minute', async () => {
    const rig = await memoryRig()
    const [newer, newest] = [anotherBus(rig), anotherBus(rig, 'shop-3')]
    const changed = { ...hourly, cron: '15 * * * *' }
    rig.bus.recur(Closed, hourly)
    newer.recur(Closed, changed)
    const seen = listen(newest, rig)
    newest.recur(Closed, changed)
    await rig.bus.start()
    await newer.start()
    await newer.close()
    await rig.clock.advance(15 * minuteMs + 5_000)
    await newest.start()
    await rig.clock.advance(minuteMs)
    expect(times(seen)).toEqual(['00:15'])
  })
})

describe('a time at which nothing ran', () => {
  async function afterDowntime(missed: 'once' | 'skip', downMs: number) {
    const rig = await memoryRig()
    rig.bus.recur(Closed, { ...hourly, missed })
    await rig.bus.start()
    await rig.bus.close()
    await rig.clock.advance(downMs)
    const later = anotherBus(rig)
    const seen = listen(later, rig)
    later.recur(Closed, { ...hourly, missed })
    await later.start()
    await rig.clock.advance(2 * hourMs)
    return { seen, waiting: await waiting(rig) }
  }

  it('is made up for once, however many there were', async () => {
    const { seen, waiting: left } = await afterDowntime('once', 5 * hourMs + 10 * minuteMs)
    expect(seen.map(({ at, came }) => `${at} ${came}`)).toEqual(['01:00 05:10', '06:00 06:00', '07:00 07:00'])
    expect(left).toBe(1)
  })

  it('is left out where that is wanted', async () => {
    const { seen, waiting: left } = await afterDowntime('skip', 5 * hourMs + 10 * minuteMs)
    expect(times(seen)).toEqual(['06:00', '07:00'])
    expect(left).toBe(1)
  })

  it('is none where the next time has not come', async () => {
    const { seen } = await afterDowntime('skip', hourMs + 10 * minuteMs)
    expect(seen.map(({ at, came }) => `${at} ${came}`)).toEqual(['01:00 01:10', '02:00 02:00', '03:00 03:00'])
  })
})

describe('what the code says', () => {
  it('goes for ticks that wait: what is no longer there ends, what has changed goes by the new times', async () => {
    const rig = await memoryRig()
    rig.bus.recur(Closed, hourly)
    rig.bus.recur(Closed, { ...hourly, name: 'gone' })
    await rig.bus.start()
    await rig.bus.close()
    const later = anotherBus(rig)
    const seen = listen(later, rig)
    later.recur(Closed, { ...hourly, cron: '30 * * * *' })
    await later.start()
    expect(await waiting(rig)).toBe(3)
    await rig.clock.advance(2 * hourMs + minuteMs)
    expect(times(seen)).toEqual(['00:30', '01:30'])
    expect(await waiting(rig)).toBe(1)
    expect(rig.log.entries.filter(({ message }) => message.includes('no longer there'))).toHaveLength(2)
  })

  it('is refused with every mistake at once', async () => {
    const { bus } = await memoryRig()
    const wrong = { name: 'a b', cron: 7, timeZone: '', missed: 'twice', ata: {} } as never
    expect(() => bus.recur(Closed, wrong)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: ['ata', 'name', 'cron', 'timeZone', 'missed'].map((name) =>
          expect.objectContaining({ path: `recur(shop.day.closed).${name}` }),
        ),
      }),
    )
    expect(() => bus.recur(Closed, { ...hourly, cron: 'nope', timeZone: 'Mars/Olympus' })).toThrow(
      expect.objectContaining({ issues: [expect.anything(), expect.anything()] }),
    )
    expect(() => bus.recur(Closed, { ...hourly, cron: '0 0 30 2 *' })).toThrow(/never comes/)
    expect(() => bus.recur({} as never, hourly)).toThrow(expect.objectContaining({ code: 'CONTRACT_INVALID' }))
  })

  it('has each name once', async () => {
    const { bus } = await memoryRig()
    bus.recur(Closed, hourly)
    expect(() => bus.recur(Sweep, { ...hourly, data: { n: 1 } })).toThrow(
      expect.objectContaining({ code: 'CONTRACT_DUPLICATE' }),
    )
    await bus.close()
    expect(() => bus.recur(Closed, { ...hourly, name: 'late' })).toThrow(
      expect.objectContaining({ code: 'ENGINE_CLOSED' }),
    )
  })

  it('leaves names that are reserved to the bus', async () => {
    const rig = await recurring()
    const Tick = command('posthaste.recurring.shop', { data: z.any() })
    expect(() => rig.bus.handle(Tick, () => {})).toThrow(expect.objectContaining({ code: 'CONTRACT_INVALID' }))
  })
})

describe('what goes wrong', () => {
  it('with one time, leaves that out and no other', async () => {
    let calls = 0
    const { clock, seen, log } = await recurring({
      data: (atMs) => {
        calls += 1
        return calls === 1 ? ({ at: 7 } as never) : hourly.data instanceof Function ? hourly.data(atMs) : hourly.data
      },
    })
    await clock.advance(3 * hourMs + minuteMs)
    expect(times(seen)).toEqual(['02:00', '03:00'])
    expect(log.entries.filter(({ level }) => level === 'error')).toMatchObject([
      { fields: { name: 'hourly', type: 'shop.day.closed', error: { code: 'PAYLOAD_INVALID' } } },
    ])
  })

  it('with the data of one time for minutes, leaves that out, too', async () => {
    let failures = 30
    const { clock, seen, log } = await recurring({
      data: async (atMs) => {
        if (failures-- > 0) throw new Error('connection refused')
        return { at: new Date(atMs).toISOString().slice(11, 16) }
      },
    })
    await clock.advance(3 * hourMs + minuteMs)
    expect(times(seen)).toEqual(['02:00', '03:00'])
    expect(log.entries.filter(({ level }) => level === 'error')).toMatchObject([{ fields: { name: 'hourly' } }])
  })

  it('without a word on whether it may pass, is tried again', async () => {
    let failures = 12
    const { clock, seen } = await recurring({
      data: async () => {
        if (failures-- > 0) throw new Error('connection refused')
        return { at: 'made up' }
      },
    })
    await clock.advance(hourMs + 30 * minuteMs)
    expect(times(seen)).toEqual(['made up'])
  })

  it('for a while, is tried again', async () => {
    let failures = 5
    const { clock, seen } = await recurring({
      data: () => {
        if (failures-- > 0) throw new PosthasteError('UNAVAILABLE', 'the books are closed')
        return { at: 'made up' }
      },
    })
    await clock.advance(hourMs + 30 * minuteMs)
    expect(times(seen)).toEqual(['made up'])
  })

  it('in the queue of ticks, is put right', async () => {
    const rig = await recurring()
    await rig.engine.scheduling?.cancel(ticks, tickFor(rig.clock.nowMs() + hourMs).id)
    expect(await waiting(rig)).toBe(0)
    await rig.clock.advance(2 * minuteMs)
    expect(await waiting(rig)).toBe(1)
    await rig.clock.advance(hourMs)
    expect(times(rig.seen)).toEqual(['01:00'])
  })

  it('is not put right so late that another instance may just have published it', async () => {
    const rig = await recurring({ cron: '2 0 * * * *' })
    const { name, digest } = recurrenceOf(Closed, { ...hourly, cron: '2 0 * * * *' } as RecurrenceOptions, 0)
    const dueAtMs = rig.clock.nowMs() + hourMs + 2_000
    await rig.clock.advance(hourMs - minuteMs / 2)
    expect(await rig.engine.scheduling?.cancel(ticks, `${name}:${digest}:${dueAtMs}`)).toBe(true)
    await rig.clock.advance(hourMs + minuteMs)
    expect(times(rig.seen)).toEqual(['00:00', '02:00'])
  })

  it('with the same time twice, publishes it under the same id', async () => {
    const rig = await recurring()
    const tick = tickFor(rig.clock.nowMs() + hourMs)
    await rig.clock.advance(hourMs + 2 * minuteMs)
    await rig.engine.publish([tick])
    await rig.clock.advance(hourMs)
    expect(times(rig.seen)).toEqual(['01:00', '01:00', '02:00'])
    expect(rig.seen[0]!.id).toBe(rig.seen[1]!.id)
    expect(await waiting(rig)).toBe(1)
  })

  it('before the start, is told by the start', async () => {
    const { bus, engine } = scriptedRig()
    bus.recur(Closed, hourly)
    expect(await errorOf(bus.start())).toMatchObject({ code: 'CAPABILITY_UNSUPPORTED' })
    expect(engine.topologies).toEqual([])
    const other = scriptedRig()
    await other.bus.start()
    expect(() => other.bus.recur(Closed, hourly)).toThrow(expect.objectContaining({ code: 'CAPABILITY_UNSUPPORTED' }))
  })

  it('nothing ticks after the close', async () => {
    const rig = await recurring()
    await rig.bus.close()
    await rig.clock.advance(5 * hourMs)
    expect(rig.seen).toEqual([])
    expect(rig.log.entries.filter(({ level }) => level === 'warn' || level === 'error')).toEqual([])
  })
})
