import {
  type Delivery,
  type DeliverySink,
  type Engine,
  type EngineCapabilities,
  type EngineSubscription,
  type Lag,
  type Note,
  type NoteChange,
  type OutgoingRecord,
  PosthasteError,
  type Settlement,
  succeeded,
} from '@posthaste/contracts'
import { memory } from '@posthaste/memory'
import { describe, expect, it } from 'vitest'
import { PartitionedBroker } from '../../../test/bus/partitioned/broker.ts'
import { World } from '../../../test/bus/partitioned/world.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { recordingLog } from '../../testing/recording-log.ts'
import { complete } from './complete.ts'

/** As long as nothing comes from an engine that is taken for having nothing more. */
const calmMs = 100

/** What an engine says that keeps the order of keys, and does not isolate. */
const told: Partial<EngineCapabilities> = {
  keyOrder: 'engine',
  holdKey: 'native',
  attempts: 'exact',
  suspects: 'told',
}

const lost = new PosthasteError('DELIVERY_LOST', 'the connection is lost')

/** An engine with key ranges whose every move is a test's. */
class ScriptedEngine {
  readonly settlements: Settlement[] = []
  readonly changes: NoteChange[] = []
  readonly moves: string[] = []
  granted = 0
  sink: DeliverySink | undefined
  failure: PosthasteError | undefined
  /** Of settlements. */
  refusal: PosthasteError | undefined

  engine(capabilities: Partial<EngineCapabilities> = {}, lag?: Lag): Engine {
    const { capabilities: all } = memory()
    const subscription: EngineSubscription = {
      grant: (credit) => {
        this.granted += credit
      },
      settle: async (batch) => {
        const error = this.refusal
        if (error !== undefined) return batch.map(() => ({ ok: false, error }))
        this.settlements.push(...batch)
        return batch.map(() => succeeded)
      },
      extend: async () => {},
      stop: async () => void this.moves.push('stop'),
      ranges: {
        pause: (range) => this.moves.push(`pause ${range}`),
        resume: (range) => this.moves.push(`resume ${range}`),
        note: async (_, changes) => {
          if (this.failure !== undefined) return { ok: false, error: this.failure }
          this.changes.push(...changes)
          return succeeded
        },
        giveUp: async (range) => void this.moves.push(`giveUp ${range}`),
      },
    }
    const closed = async (): Promise<void> => {}
    return {
      name: 'scripted',
      capabilities: { ...all, keyOrder: 'partitions', holdKey: 'none', attempts: 'hand-overs', ...capabilities },
      open: closed,
      declare: async () => ({ created: [], drift: [] }),
      publish: async (records) => records.map(() => succeeded),
      subscribe: async (_, sink) => {
        this.sink = sink
        return subscription
      },
      close: closed,
      ...(lag !== undefined && { lag: { lag: async () => lag } }),
    }
  }
}

async function rig(capabilities: Partial<EngineCapabilities> = {}, lag?: Lag) {
  const clock = manualClock()
  const log = recordingLog()
  const scripted = new ScriptedEngine()
  const engine = complete(scripted.engine(capabilities, lag))
  await engine.open({ clock, log, instance: 'test', random: () => 0.5, onState() {} })
  const seen: Delivery[] = []
  const told: { lost: number[]; recalled: number[] } = { lost: [], recalled: [] }
  const member = await engine.subscribe(
    { channel: 'c', group: 'g', member: 'm' },
    {
      deliver: (batch) => seen.push(...batch),
      lost: (tags) => told.lost.push(...tags),
      recall: (tags) => told.recalled.push(...tags),
      closed() {},
    },
  )
  const sink = scripted.sink!
  let tag = 0
  const deliver = (...given: (Partial<Delivery> & { readonly id?: string; readonly key?: string })[]) => {
    const range = engine.capabilities.keyOrder === capabilities.keyOrder ? undefined : 'r'
    const batch = given.map(({ id, key, ...rest }) => {
      tag += 1
      return {
        tag,
        attempt: 1,
        storedAtMs: 0,
        position: `p${tag}`,
        range,
        record: record(id ?? `m${tag}`, key),
        ...rest,
      }
    })
    sink.deliver(batch)
    return batch
  }
  return { clock, log, scripted, engine, seen, told, member, sink, deliver }
}

function record(id: string, key?: string): OutgoingRecord {
  return { id, channel: 'c', headers: { type: 't' }, body: new Uint8Array(0), ...(key !== undefined && { key }) }
}

const ack = (tag: number): Settlement => ({ kind: 'ack', tag })
const ids = (seen: readonly Delivery[]) => seen.map((each) => each.record.id)
const standing = (changes: readonly NoteChange[]): readonly Note[] =>
  [...new Map(changes.map(({ name, record: noted }) => [name, noted]))].flatMap(([name, noted]) =>
    noted === undefined ? [] : [{ name, record: noted }],
  )
const names = (changes: readonly NoteChange[]) =>
  changes.map(
    ({ name, record: noted }) => `${noted === undefined ? 'erase' : 'write'} ${name === 'session' ? name : 'note'}`,
  )

describe('complete', () => {
  it('returns an engine that keeps the order of keys itself as it is, and what is complete, too', () => {
    const engine = memory()
    expect(complete(engine)).toBe(engine)
    const completed = complete(new ScriptedEngine().engine())
    expect(complete(completed)).toBe(completed)
  })

  it('presents what it adds, and keeps room for the header of notes', () => {
    const { headerBytesMax } = memory().capabilities
    const { capabilities } = complete(new ScriptedEngine().engine({ attempts: 'none' }))
    expect(capabilities).toMatchObject({ keyOrder: 'engine', holdKey: 'native', attempts: 'exact' })
    expect(capabilities.headerBytesMax).toBe(headerBytesMax - 512)
  })

  it('has the abilities that the engine has once it is open', async () => {
    const raw = new ScriptedEngine().engine({}, { ready: 0, waiting: 0, inFlight: 0 })
    const engine = complete(raw)
    expect(engine.lag).toBeDefined()
    delete (raw as { lag?: unknown }).lag
    await engine.open({ clock: manualClock(), log: recordingLog(), instance: 'test', random: () => 0.5, onState() {} })
    expect(engine.lag).toBeUndefined()
  })

  it('refuses headers that leave no room, and publishes the rest', async () => {
    const { engine } = await rig()
    const long = { ...record('long'), headers: { a: 'x'.repeat(engine.capabilities.headerBytesMax) } }
    const outcomes = await engine.publish([record('one'), long, record('two')])
    expect(outcomes.map(({ ok }) => ok)).toEqual([true, false, true])
    expect(outcomes[1]).toMatchObject({ error: { code: 'INVALID_ARGUMENT' } })
  })
})

describe('a key range', () => {
  it('notes who reads it before anything is handed over, once', async () => {
    const { clock, scripted, seen, member, sink, deliver } = await rig()
    sink.ranges?.assigned('r', [])
    member.grant(10)
    await clock.advance(0)
    expect(scripted).toMatchObject({ granted: 10, changes: [] })
    const [first] = deliver({ key: 'a' })
    expect(seen).toEqual([])
    await clock.advance(0)
    expect(seen).toEqual([first])
    await member.settle([ack(1)])
    deliver({ key: 'a' })
    expect(ids(seen)).toEqual(['m1', 'm2'])
    await member.settle([ack(2)])
    await clock.advance(60_000)
    expect(names(scripted.changes)).toEqual(['write session'])
    expect(scripted.settlements).toEqual([ack(1), ack(2)])
  })

  it('that is busy goes on with the session that it has, and lowers it when far less is under way for a while', async () => {
    const { clock, scripted, member, sink, deliver, seen } = await rig({ attempts: 'none' })
    sink.ranges?.assigned('r', [])
    member.grant(1_000)
    const round = async (count: number): Promise<void> => {
      deliver(...Array.from({ length: count }, () => ({ key: 'a' })))
      await clock.advance(0)
      await member.settle(seen.splice(0).map(({ tag }) => ack(tag)))
      await clock.advance(300)
    }
    for (let left = 20; left > 0; left -= 1) await round(20)
    expect(names(scripted.changes)).toEqual(['write session'])
    for (let left = 20; left > 0; left -= 1) await round(1)
    expect(names(scripted.changes)).toEqual(['write session', 'write session'])
  })

  it('that rests says that nothing is in hand, where deliveries do not tell whether somebody had them', async () => {
    const { clock, scripted, member, sink, deliver } = await rig({ attempts: 'none' })
    sink.ranges?.assigned('r', [])
    member.grant(10)
    deliver({ key: 'a' }, { key: 'b' })
    await clock.advance(0)
    await member.settle([ack(1)])
    await clock.advance(60_000)
    expect(names(scripted.changes)).toEqual(['write session'])
    await member.settle([ack(2)])
    await clock.advance(60_000)
    expect(names(scripted.changes)).toEqual(['write session', 'write session'])
    const after = await rig({ attempts: 'none' })
    after.sink.ranges?.assigned('r', scripted.changes.slice(-1) as Note[])
    after.member.grant(1)
    after.deliver({ key: 'a' })
    await after.clock.advance(0)
    expect(after.seen).toMatchObject([{ attempt: 1 }])
  })

  it('whose reader vanished has as many suspects as that had in hand', async () => {
    const { clock, scripted, member, sink, deliver } = await rig({ attempts: 'none' })
    sink.ranges?.assigned('r', [])
    member.grant(10)
    deliver({ key: 'a' }, { key: 'b' })
    await clock.advance(0)
    const after = await rig({ attempts: 'none' })
    after.sink.ranges?.assigned('r', scripted.changes as Note[])
    after.member.grant(10)
    after.deliver({ key: 'a' }, { key: 'b' }, { key: 'c' })
    await after.clock.advance(0)
    expect(Object.fromEntries(after.seen.map(({ record: { key }, attempt }) => [key, attempt]))).toEqual({
      a: 2,
      b: 2,
      c: 1,
    })
  })

  it('tries a note again that cannot be written, and keeps the delivery until then', async () => {
    const { clock, scripted, seen, member, sink, deliver } = await rig()
    sink.ranges?.assigned('r', [])
    member.grant(10)
    deliver({ key: 'a' })
    await clock.advance(0)
    scripted.failure = new PosthasteError('UNAVAILABLE', 'not now')
    let answered = false
    void member.settle([{ kind: 'release', tag: 1, countsAttempt: true }]).then(() => {
      answered = true
    })
    await clock.advance(30_000)
    expect(answered).toBe(false)
    expect(scripted.settlements).toEqual([])
    scripted.failure = undefined
    await clock.advance(30_000)
    expect(answered).toBe(true)
    expect(scripted.settlements).toEqual([ack(1)])
    expect(seen[1]).toMatchObject({ attempt: 2, record: { id: 'm1', headers: { type: 't' } } })
  })

  it('acknowledges unseen what stands in a note already', async () => {
    const { clock, scripted, seen, member, sink, deliver } = await rig()
    sink.ranges?.assigned('r', [])
    member.grant(10)
    deliver({ key: 'a' })
    await clock.advance(0)
    await member.settle([{ kind: 'release', tag: 1, countsAttempt: true, visibleAtMs: clock.nowMs() + 1_000 }])
    await clock.advance(0)
    deliver({ id: 'm1', key: 'a', position: 'p1' })
    await clock.advance(0)
    expect(ids(seen)).toEqual(['m1'])
    expect(scripted.settlements).toEqual([ack(1), ack(2)])
    expect(scripted.granted).toBeGreaterThan(10)
  })

  it('acknowledges unseen what stood in a note and may come again, also where another reader has noted it anew', async () => {
    const vanished = await rig()
    vanished.sink.ranges?.assigned('r', [])
    vanished.member.grant(10)
    vanished.deliver({ id: 'm1', key: 'a' })
    await vanished.clock.advance(0)
    // What was delivered is not acknowledged yet when its process is killed.
    vanished.scripted.refusal = new PosthasteError('UNAVAILABLE', 'not now')
    await vanished.member.settle([{ kind: 'release', tag: 1, countsAttempt: true }])
    const left = await rig()
    left.sink.ranges?.assigned('r', standing(vanished.scripted.changes))
    left.member.grant(10)
    await left.clock.advance(0)
    expect(left.seen).toMatchObject([{ record: { id: 'm1' } }])
    await left.member.settle([{ kind: 'release', tag: left.seen[0]!.tag, countsAttempt: true }])
    const { clock, scripted, seen, member, sink, deliver } = await rig()
    sink.ranges?.assigned('r', standing([...vanished.scripted.changes, ...left.scripted.changes]))
    member.grant(10)
    await clock.advance(0)
    await member.settle([ack(seen[0]!.tag)])
    const [again] = deliver({ id: 'm1', key: 'a', position: 'p1' })
    await clock.advance(0)
    expect(ids(seen)).toEqual(['m1'])
    expect(scripted.settlements).toEqual([ack(again!.tag)])
  })

  it('is paused where too much is parked, which is said, and goes on at half of it', { timeout: 30_000 }, async () => {
    const { clock, log, scripted, member, sink, seen } = await rig()
    const notes = await notesOf(10_000)
    sink.ranges?.assigned('r', notes.slice(0, -1))
    await clock.advance(0)
    expect(scripted.moves).toEqual([])
    sink.ranges?.assigned('r', notes)
    await clock.advance(0)
    expect(scripted.moves).toEqual(['pause r'])
    expect(log.entries.map(({ level }) => level)).toContain('warn')
    member.grant(10_000)
    await clock.advance(0)
    expect(seen).toHaveLength(10_000)
    await member.settle(seen.slice(0, 4_999).map(({ tag }) => ack(tag)))
    await clock.advance(0)
    expect(scripted.moves).toEqual(['pause r'])
    await member.settle(seen.slice(4_999, 5_000).map(({ tag }) => ack(tag)))
    await clock.advance(0)
    expect(scripted.moves).toEqual(['pause r', 'resume r'])
  })

  it('is given up when what is in hand has ended, and says that its reader left', async () => {
    const { clock, scripted, told, member, sink, deliver } = await rig()
    sink.ranges?.assigned('r', [])
    member.grant(10)
    deliver({ key: 'a' }, { key: 'b' })
    await clock.advance(0)
    sink.ranges?.recalled('r')
    await clock.advance(0)
    expect(told.recalled).toEqual([1, 2])
    await member.settle([ack(1)])
    await clock.advance(0)
    expect(scripted.moves).toEqual([])
    await member.settle([{ kind: 'release', tag: 2, countsAttempt: false }])
    await clock.advance(0)
    expect(scripted.moves).toEqual(['giveUp r'])
    expect(names(scripted.changes)).toEqual(['write session', 'erase session'])
    expect(scripted.settlements).toEqual([ack(1)])
  })

  it('that is revoked takes everything with it', async () => {
    const { clock, told, member, sink, deliver } = await rig()
    sink.ranges?.assigned('r', [])
    member.grant(10)
    deliver({ key: 'a' }, { key: 'b' })
    await clock.advance(0)
    sink.ranges?.revoked('r', lost)
    expect(told.lost).toEqual([1, 2])
    const outcomes = await member.settle([ack(1), { kind: 'release', tag: 2, countsAttempt: true }])
    expect(outcomes).toMatchObject([{ error: { code: 'DELIVERY_LOST' } }, { error: { code: 'DELIVERY_LOST' } }])
  })

  it('is left in order when the member stops, also where the engine takes no notes any more', async () => {
    const { clock, log, scripted, member, sink, deliver } = await rig()
    sink.ranges?.assigned('r', [])
    member.grant(10)
    deliver({ key: 'a' })
    await clock.advance(0)
    scripted.failure = new PosthasteError('UNAVAILABLE', 'not now')
    const stopped = member.stop()
    await clock.advance(20_000)
    await stopped
    expect(scripted.moves).toEqual(['stop'])
    expect(log.entries.map(({ message }) => message)).toContain('a member left without having noted so')
  })
})

describe('what has ended two processes', () => {
  it('runs alone, after all else is back, and then the others go on', async () => {
    const clock = manualClock()
    const world = new World(new PartitionedBroker({ clock, keyRanges: 1 }), clock)
    await world.begin()
    await world.publish('poison')
    for (let crashes = 0; crashes < 2; crashes += 1) {
      const reader = await world.join()
      reader.grant(1)
      await world.settle()
      expect(reader.hands.map(({ attempt }) => attempt)).toEqual([crashes + 1])
      reader.crash()
      await clock.advance(1)
    }
    for (const key of ['a', 'b', 'c']) await world.publish(key)
    const reader = await world.join()
    reader.grant(4)
    await world.settle()
    expect(reader.hands.map(({ record: { key }, attempt }) => [key, attempt])).toEqual([['poison', 3]])
    reader.crash()
    await clock.advance(1)
    const last = await world.join()
    last.grant(4)
    await world.settle()
    expect(last.hands.map(({ record: { key }, attempt }) => [key, attempt])).toEqual([['poison', 4]])
    await last.ack(last.hands[0]!)
    await world.settle()
    expect(last.hands.map(({ record: { key }, attempt }) => [key, attempt])).toEqual([
      ['a', 1],
      ['b', 1],
      ['c', 1],
    ])
    expect(world.violations).toEqual([])
  })

  it('without a key range runs alone, too, and what comes meanwhile is handed back uncounted', async () => {
    const { clock, scripted, seen, told, member, deliver } = await rig()
    const loose = { range: undefined }
    member.grant(10)
    await clock.advance(0)
    deliver(loose, loose)
    expect(ids(seen)).toEqual(['m1', 'm2'])
    deliver({ ...loose, attempt: 3, vanished: 2 }, loose)
    await clock.advance(0)
    expect(told.recalled).toEqual([1, 2])
    await member.settle([ack(1), { kind: 'release', tag: 2, countsAttempt: false }])
    await clock.advance(calmMs)
    expect(ids(seen)).toEqual(['m1', 'm2', 'm3'])
    expect(scripted.settlements).toContainEqual({ kind: 'release', tag: 4, countsAttempt: false })
    member.grant(2)
    await clock.advance(0)
    expect(scripted.granted).toBe(10)
    deliver(...Array.from({ length: 6 }, () => loose))
    await member.settle([ack(3)])
    await clock.advance(0)
    expect(scripted.granted).toBe(11)
    deliver(loose)
    await clock.advance(0)
    expect(ids(seen)).toEqual(['m1', 'm2', 'm3', 'm11'])
    expect(scripted.granted).toBeGreaterThan(12)
  })

  it('waits until the engine hands over nothing more for the credit that it has', async () => {
    const { clock, seen, member, deliver } = await rig(told)
    member.grant(6)
    await clock.advance(0)
    deliver({ vanished: 2 }, { vanished: 2 })
    for (let round = 0; round < 3; round += 1) {
      await clock.advance(calmMs / 2)
      deliver({ vanished: 2 })
      expect(seen).toEqual([])
    }
    await clock.advance(calmMs - 1)
    expect(seen).toEqual([])
    await clock.advance(calmMs)
    expect(ids(seen)).toEqual(['m1'])
  })

  it('is asked for one by one, so that nothing need be given back', async () => {
    const { clock, scripted, seen, member, deliver } = await rig(told)
    member.grant(2)
    await clock.advance(0)
    deliver({ vanished: 2 }, { vanished: 2 })
    await clock.advance(calmMs)
    expect(scripted.settlements).toEqual([{ kind: 'release', tag: 2, countsAttempt: false }])
    for (const tag of [1, 3, 4, 5]) {
      await member.settle([ack(tag)])
      member.grant(1)
      await clock.advance(0)
      deliver({ vanished: 2 })
      await clock.advance(0)
    }
    expect(seen).toHaveLength(5)
    expect(scripted.settlements.filter(({ kind }) => kind === 'release')).toHaveLength(1)
    expect(scripted.granted).toBe(6)
  })

  it('is reckoned with for a while: no more others are asked for than came in a row', async () => {
    const { clock, scripted, seen, member, deliver } = await rig(told)
    const released = (): number => scripted.settlements.filter(({ kind }) => kind === 'release').length
    const one = {}
    member.grant(1_000)
    deliver(...Array(1_000).fill({ vanished: 2 }))
    await clock.advance(calmMs)
    expect(ids(seen)).toEqual(['m1'])
    expect(released()).toBe(999)
    await member.settle([ack(1)])
    for (const [times, granted] of [
      [1, 1_001],
      [2, 1_003],
      [4, 1_007],
    ] as const) {
      await clock.advance(0)
      expect(scripted.granted).toBe(granted)
      deliver(...Array(times).fill(one))
    }
    await clock.advance(0)
    expect(scripted.granted).toBe(1_015)
    deliver({ vanished: 2 }, ...Array(7).fill(one))
    await clock.advance(0)
    expect(released()).toBe(999 + 7)
  })

  it('is not reckoned with any more after many others', async () => {
    const { clock, scripted, member, deliver } = await rig(told)
    member.grant(1_000)
    deliver(...Array(1_000).fill({ vanished: 2 }))
    await clock.advance(calmMs)
    await member.settle([ack(1)])
    await clock.advance(0)
    for (let others = 0; others < 64; others += 1) {
      deliver({})
      await clock.advance(0)
    }
    const asked = scripted.granted - 1_000
    expect(asked).toBe(999)
  })

  it('runs alone among all subscriptions of an engine', async () => {
    const first = await rig(told)
    const { clock, scripted, engine } = first
    const seen: Delivery[] = []
    const second = await engine.subscribe(
      { channel: 'd', group: 'g', member: 'm' },
      { deliver: (batch) => seen.push(...batch), lost() {}, closed() {} },
    )
    for (const member of [first.member, second]) member.grant(1)
    await clock.advance(0)
    const suspect = { attempt: 3, vanished: 2, storedAtMs: 0, position: 'p' }
    first.sink.deliver([{ ...suspect, tag: 1, record: record('a') }])
    scripted.sink!.deliver([{ ...suspect, tag: 1, record: record('b') }])
    await clock.advance(0)
    expect([ids(first.seen), ids(seen)]).toEqual([['a'], []])
    await first.member.settle([ack(1)])
    await clock.advance(0)
    expect([ids(first.seen), ids(seen)]).toEqual([['a'], ['b']])
    await second.stop()
  })

  it('is forgotten when the engine takes it back before it has run', async () => {
    const { clock, scripted, seen, member, sink, deliver } = await rig(told)
    member.grant(2)
    await clock.advance(0)
    deliver({}, { vanished: 2 })
    await clock.advance(0)
    sink.lost([2], lost)
    await member.settle([ack(1)])
    member.grant(1)
    await clock.advance(0)
    expect(scripted.granted).toBe(3)
    deliver({})
    expect(ids(seen)).toEqual(['m1', 'm3'])
  })
})

describe('the lag of a group', () => {
  /** One range, and what its engine tells of it. */
  async function reading() {
    const clock = manualClock()
    const world = new World(new PartitionedBroker({ clock, keyRanges: 2 }), clock)
    await world.begin()
    const lag = async () => {
      await world.settle()
      return world.readers.at(-1)?.lag()
    }
    return { clock, world, lag }
  }

  it('tells what waits, what is held behind it, what is due and what is in hand, each of it once', async () => {
    const { clock, world, lag } = await reading()
    const reader = await world.join()
    for (const key of ['a', 'a', 'a', 'b', undefined]) await world.publish(key)
    expect(await lag()).toEqual({ ready: 5, waiting: 0, inFlight: 0 })
    reader.grant(5)
    await world.settle()
    expect(await lag()).toEqual({ ready: 5, waiting: 0, inFlight: 5 })
    const [first] = reader.heads.filter(({ record: { key } }) => key === 'a')
    await reader.release(first!, { counts: true, afterMs: 1_000 })
    expect(await lag()).toEqual({ ready: 2, waiting: 3, inFlight: 2 })
    await clock.advance(1_000)
    expect(await lag()).toEqual({ ready: 5, waiting: 0, inFlight: 3 })
    for (const head of reader.heads) await reader.ack(head)
    expect(await lag()).toEqual({ ready: 2, waiting: 0, inFlight: 2 })
    expect(world.violations).toEqual([])
  })

  it('tells what is noted as waiting where nobody or another process reads it', async () => {
    const { world, lag } = await reading()
    const reader = await world.join()
    for (const key of ['a', 'b', 'c', 'd']) await world.publish(key)
    reader.grant(4)
    await world.settle()
    for (const head of reader.heads) await reader.release(head, { counts: true, afterMs: 1_000 })
    expect(await lag()).toEqual({ ready: 0, waiting: 4, inFlight: 0 })
    await world.join()
    expect(await lag()).toEqual({ ready: 0, waiting: 4, inFlight: 0 })
    expect(await reader.lag()).toEqual({ ready: 0, waiting: 4, inFlight: 0 })
  })

  it('waits a while for acknowledgements of what is noted', async () => {
    const { clock, scripted, engine, member, sink, deliver } = await rig({}, { ready: 1, waiting: 0, inFlight: 1 })
    sink.ranges?.assigned('r', [])
    member.grant(10)
    deliver({ key: 'a' })
    await clock.advance(0)
    scripted.refusal = new PosthasteError('UNAVAILABLE', 'not now')
    await member.settle([{ kind: 'release', tag: 1, countsAttempt: true, visibleAtMs: clock.nowMs() + 60_000 }])
    const told = engine.lag?.lag('c', 'g')
    await clock.advance(10_000)
    // The engine counts it as well, and it is not counted twice.
    expect(await told).toEqual({ ready: 0, waiting: 1, inFlight: 0 })
  })
})

describe('an engine that keeps the order of keys and tells of suspects', () => {
  it('is completed with nothing else', async () => {
    const { engine } = await rig(told)
    const { headerBytesMax } = memory().capabilities
    expect(engine.capabilities).toMatchObject({ ...told, suspects: 'isolated', headerBytesMax })
    expect(complete(engine)).toBe(engine)
  })

  it('passes batches and settlements through as they are', async () => {
    const { clock, scripted, seen, member, deliver } = await rig(told)
    member.grant(5)
    await clock.advance(0)
    const batch = deliver({ vanished: 1 }, { key: 'a' }, {})
    expect(seen).toEqual(batch)
    const how = { countsAttempt: true, visibleAtMs: 5, holdKey: true } as const
    const settlements: Settlement[] = [{ kind: 'release', tag: 1, ...how }, ack(2)]
    expect(await member.settle(settlements)).toEqual([succeeded, succeeded])
    expect(scripted.settlements).toEqual(settlements)
    expect(await member.settle([ack(2), ack(3)])).toMatchObject([{ error: { code: 'DELIVERY_LOST' } }, succeeded])
  })
})

/** Notes as a reader leaves them that parked as many records, each of another key, and left in order. */
async function notesOf(count: number): Promise<readonly Note[]> {
  const { clock, scripted, member, sink, deliver } = await rig()
  sink.ranges?.assigned('r', [])
  member.grant(count)
  deliver(...Array.from({ length: count }, (_, at) => ({ key: `k${at}` })))
  await clock.advance(0)
  const tags = Array.from({ length: count }, (_, at) => at + 1)
  await member.settle(tags.map((tag) => ({ kind: 'release', tag, countsAttempt: true })))
  const written = new Map(scripted.changes.map(({ name, record: noted }) => [name, noted]))
  return [...written].flatMap(([name, noted]) =>
    noted === undefined || name === 'session' ? [] : [{ name, record: noted }],
  )
}
