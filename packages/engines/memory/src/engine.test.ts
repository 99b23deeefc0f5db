import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import { declare, join, openEngine, record } from '../test/rig.ts'
import { type MemoryOptions, memory } from './engine.ts'
import { memoryStore } from './store.ts'

describe('memory', () => {
  it('names every option it does not know or understand', () => {
    const options = { clok: 1, clock: 5, store: {} } as unknown as MemoryOptions
    expect(() => memory(options)).toThrow(
      expect.objectContaining({
        code: 'CONFIG_INVALID',
        issues: [
          { path: 'clok', message: 'there is no such option' },
          { path: 'clock', message: 'is no Clock' },
          { path: 'store', message: 'is not made by memoryStore()' },
        ],
      }),
    )
  })

  it('lives by its own clock where it is given one', async () => {
    const clock = manualClock(5_000)
    const { engine } = await openEngine({ clock })
    await declare(engine)
    const member = await join(engine)
    await engine.publish([record('now'), record('later', { dueAtMs: 5_100 })])
    await clock.advance(100)
    expect(member.received.map(({ storedAtMs }) => storedAtMs)).toEqual([5_000, 5_000])
    expect(member.ids()).toEqual(['now', 'later'])
  })
})

describe('life cycle', () => {
  it('tells that it is connected once it is open', async () => {
    const { states } = await openEngine()
    expect(states).toEqual(['connected'])
  })

  it('is opened once', async () => {
    const { engine } = await openEngine()
    const host = { clock: manualClock(), log: console, instance: 'x', random: () => 0, onState: () => {} }
    await expect(engine.open(host)).rejects.toMatchObject({ code: 'FAILED_PRECONDITION' })
  })

  it('refuses work before it is open', async () => {
    await expect(memory().publish([])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
  })

  it('shares a store with one engine at a time', async () => {
    const store = memoryStore()
    const { engine } = await openEngine({ store })
    await expect(openEngine({ store })).rejects.toMatchObject({ code: 'ENGINE_LOCKED' })
    await engine.close()
    await expect(openEngine({ store })).resolves.toBeDefined()
  })

  it('does not end the engine that has the store now when an earlier one is closed', async () => {
    const store = memoryStore()
    const first = await openEngine({ store })
    await first.engine.close()
    const second = await openEngine({ store })
    await first.engine.close()
    await expect(second.engine.publish([])).resolves.toEqual([])
  })

  it('keeps no timer when it is closed', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    await engine.publish([record('later', { dueAtMs: clock.nowMs() + 1_000 })])
    expect(clock.pending()).toBe(1)
    await engine.close()
    expect(clock.pending()).toBe(0)
  })

  it('is closed for good after a crash, and takes no settlement for what others have now', async () => {
    const store = memoryStore()
    const before = await openEngine({ store })
    await declare(before.engine)
    const member = await join(before.engine)
    await before.engine.publish([record('a')])
    await before.clock.advance(0)
    store.crash()
    store.crash()
    await expect(before.engine.publish([record('b')])).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    const after = await openEngine({ store })
    const successor = await join(after.engine)
    await after.clock.advance(0)
    expect(successor.received).toMatchObject([{ record: { id: 'a' }, attempt: 2 }])
    const [outcome] = await member.settle([{ kind: 'release', tag: 1, countsAttempt: true, visibleAtMs: 1e15 }])
    expect(outcome).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
    member.grant(10)
    await member.extend([1])
    expect(member.received).toHaveLength(1)
  })
})

describe('hand-over', () => {
  it('never delivers inside of a call', async () => {
    const { engine } = await openEngine()
    await declare(engine)
    let inside = false
    const seen: boolean[] = []
    const sink = { deliver: (batch: readonly unknown[]) => void seen.push(...batch.map(() => inside)) }
    const member = await join(engine, 0, { sink })
    const guarded = (call: () => unknown) => {
      inside = true
      const result = call()
      inside = false
      return result
    }
    await guarded(() => engine.publish([record('a'), record('b')]))
    guarded(() => member.grant(1))
    await Promise.resolve()
    await guarded(() => member.settle([{ kind: 'release', tag: 1, countsAttempt: false }]))
    guarded(() => member.grant(5))
    await Promise.resolve()
    expect(seen).toEqual([false, false, false])
  })

  it('hands over in the order of the channel, over all keys', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    const keys = ['x', 'y', undefined, 'x', 'z', undefined, 'y', 'x']
    await engine.publish(keys.map((key, at) => record(String(at), { key })))
    const member = await join(engine, 4)
    await clock.advance(0)
    expect(member.ids()).toEqual(['0', '1', '2', '3'])
    member.grant(10)
    await clock.advance(0)
    expect(member.ids()).toEqual(['0', '1', '2', '3', '4', '5', '6', '7'])
  })

  it('shares work evenly among members that have credit', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    const members = [await join(engine), await join(engine), await join(engine, 0)]
    await engine.publish(Array.from({ length: 10 }, (_, at) => record(String(at))))
    await clock.advance(0)
    expect(members.map(({ received }) => received.length)).toEqual([5, 5, 0])
  })

  it.each([0, -1, 1.5, Number.NaN, Number.POSITIVE_INFINITY])('takes %d for no credit at all', async (credit) => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    const member = await join(engine, 0)
    await engine.publish([record('a')])
    member.grant(credit)
    await clock.advance(0)
    expect(member.ids()).toEqual([])
    member.grant(1)
    await clock.advance(0)
    expect(member.ids()).toEqual(['a'])
  })

  it('delivers nothing to a member that another member’s sink stops meanwhile', async () => {
    const { engine, clock } = await openEngine()
    await declare(engine)
    const stopped: { stop?: () => Promise<void> } = {}
    const first = await join(engine, 1, { sink: { deliver: () => void stopped.stop?.() } })
    const second = await join(engine, 1)
    stopped.stop = () => second.stop()
    await engine.publish([record('a'), record('b')])
    await clock.advance(0)
    expect(second.received).toEqual([])
    first.grant(1)
    const third = await join(engine, 10)
    await first.stop()
    await clock.advance(0)
    expect(third.received.map(({ record: { id }, attempt }) => `${id}#${attempt}`)).toEqual(['a#1', 'b#1'])
  })

  it('treats a member whose sink throws as vanished, says so, and goes on', async () => {
    const { engine, clock, log } = await openEngine()
    await declare(engine)
    const ends: unknown[] = []
    const fault = new Error('a bug')
    const deliver = () => {
      throw fault
    }
    const closed = (cause: unknown) => {
      ends.push(cause)
      throw fault
    }
    await join(engine, 10, { sink: { deliver, closed } })
    await engine.publish([record('a')])
    await clock.advance(0)
    expect(ends).toMatchObject([{ code: 'INTERNAL', cause: fault }])
    expect(log.entries).toMatchObject([{ level: 'error', fields: { member: 'm' } }])
    const next = await join(engine)
    await clock.advance(0)
    expect(next.received).toMatchObject([{ attempt: 2 }])
  })

  it('hands over what has vanished twice one at a time, whatever its group, and the rest beside it', async () => {
    const store = memoryStore()
    for (let deaths = 0; deaths < 2; deaths += 1) {
      const { engine, clock } = await openEngine({ store })
      await declare(engine, {}, ['g', 'h'])
      if (deaths === 0) await engine.publish([record('a', { key: 'a' }), record('b', { key: 'b' })])
      const members = [await join(engine), await join(engine, 100, { group: 'h' })]
      await clock.advance(0)
      expect(members.map((member) => member.ids())).toEqual([
        ['a', 'b'],
        ['a', 'b'],
      ])
      store.crash()
    }
    const { engine, clock } = await openEngine({ store })
    await declare(engine, {}, ['g', 'h'])
    await engine.publish([record('c', { key: 'c' })])
    const members = [await join(engine), await join(engine, 100, { group: 'h' })]
    const seen = async () => {
      await clock.advance(0)
      return members.map(({ received }) => received.map(({ record: { id }, attempt }) => `${id}#${attempt}`))
    }
    const [first, second] = members
    expect(await seen()).toEqual([['a#3', 'c#1'], ['c#1']])
    await first?.settle([{ kind: 'release', tag: 1, countsAttempt: false }])
    await first?.stop()
    expect((await seen())[1]).toEqual(['c#1', 'a#3'])
    await second?.settle([{ kind: 'ack', tag: 2 }])
    expect((await seen())[1]).toEqual(['c#1', 'a#3', 'b#3'])
  })

  it('lets timers and I/O go on while messages beget messages without end', async () => {
    const { engine } = await openEngine()
    await declare(engine)
    let going = true
    const sink = {
      deliver: (batch: readonly { tag: number }[]) => {
        const publish = going ? [record('next')] : []
        void member.settle(batch.map(({ tag }) => ({ kind: 'ack', tag, publish })))
        member.grant(batch.length)
      },
    }
    const member = await join(engine, 1, { sink })
    await engine.publish([record('first')])
    // Without a break between hand-overs this immediate would never run.
    await new Promise((resolve) => setImmediate(resolve))
    going = false
    expect(await engine.lag?.lag('c', 'g')).toMatchObject({ waiting: 0 })
  })
})

describe('admission', () => {
  it('refuses a priority that is none, and takes one that is too high', async () => {
    const { engine } = await openEngine()
    await declare(engine)
    const priorities = [0, 1, 99, -1, 0.5, Number.NaN]
    const outcomes = await engine.publish(priorities.map((priority) => record(String(priority), { priority })))
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, true, true, false, false, false])
    expect(outcomes[3]).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } })
  })

  it('counts keys and headers in bytes of UTF-8, not in characters', async () => {
    const { engine } = await openEngine()
    await declare(engine)
    const euros = (name: string) => ({ [name]: '€'.repeat((engine.capabilities.headerBytesMax - 4) / 3) })
    expect(new TextEncoder().encode(euros('name').name).byteLength).toBe(65_532)
    const outcomes = await engine.publish([
      record('key that fits', { key: 'é'.repeat(512) }),
      record('key that does not', { key: 'é'.repeat(513) }),
      record('headers that fit', { headers: euros('name') }),
      record('headers that do not', { headers: euros('names') }),
    ])
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true, false])
  })
})
