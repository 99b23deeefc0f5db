import type { OutgoingRecord } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import type { Received } from '../witness.ts'
import { GroupModel, type GroupTraits, type ModelEntry } from './model.ts'

/** A model and a clock that the test sets. */
function started(traits: Partial<GroupTraits> = {}) {
  const exact = { exactAttempts: true, suspectsYoung: false, countsHandOvers: false }
  const plain = { keyed: true, ranges: false, delayPrecisionMs: 10, ...exact }
  const model = new GroupModel({ ...plain, ...traits })
  const now = { ms: 1_000 }
  let sequence = 0
  const publishing = (id: string, wish: Partial<OutgoingRecord> = {}): ModelEntry => {
    sequence += 1
    const record = { id, channel: 'c', headers: {}, body: new Uint8Array(), ...wish }
    return model.publishing(record, sequence, now.ms)
  }
  const publish = (id: string, wish: Partial<OutgoingRecord> = {}): ModelEntry => {
    const entry = publishing(id, wish)
    model.published(entry, now.ms)
    return entry
  }
  const deliver = ({ record }: ModelEntry, change: Partial<Received> = {}): readonly string[] => {
    const seen = { tag: 1, attempt: 1, storedAtMs: 0, position: record.id, order: 1 }
    return model.delivered({ ...seen, record, member: 'm', receivedAtMs: now.ms, ...change })
  }
  const release = (entry: ModelEntry, how: { counts?: boolean; inMs?: number; holds?: boolean } = {}) => {
    const { counts = false, inMs = 0, holds = false } = how
    model.releasing(entry, { counts, untilMs: now.ms + inMs })
    model.released(entry, { waits: inMs > 0, holds })
  }
  return { model, now, publishing, publish, deliver, release }
}

/** With credit. */
const members = (...names: readonly string[]) => names.map((name) => ({ name, credit: 1 }))

const fault = (text: string) => [expect.stringContaining(text)]

describe('what may be delivered', () => {
  it('is what was published, once, until it is given back', () => {
    const { model, publish, deliver, release } = started()
    const entry = publish('1')
    expect(deliver(entry)).toEqual([])
    expect(deliver(entry)).toEqual(fault('1 was delivered, it is with m'))
    release(entry)
    expect(deliver(entry)).toEqual([])
    model.acknowledged(entry)
    expect(deliver(entry)).toEqual(fault('1 was delivered, it is settled'))
    const stranger = { ...entry, record: { ...entry.record, id: 'x' } }
    expect(deliver(stranger)).toEqual(fault('x was delivered and never published'))
  })

  it('is not what is still to come', () => {
    const { now, publish, deliver, release } = started()
    const entry = publish('1', { dueAtMs: 1_500 })
    expect(deliver(entry)).toEqual(fault('not due before 1500'))
    now.ms = 1_500
    const other = publish('2')
    deliver(other)
    release(other, { inMs: 100 })
    expect(deliver(other)).toEqual(fault('not due before 1600'))
  })

  it('has the attempt that its releases make it', () => {
    const { publish, deliver, release } = started()
    const entry = publish('1')
    expect(deliver(entry, { attempt: 2 })).toEqual(fault('as attempt 2 instead of 1'))
    release(entry, { counts: true })
    expect(deliver(entry, { attempt: 3 })).toEqual([])
    release(entry)
    expect(deliver(entry, { attempt: 4 })).toEqual(fault('as attempt 4 instead of 3'))
  })

  it('may be one attempt further after a crash, and is where it was in hand', () => {
    const { model, publish, deliver } = started()
    const [inHand, other] = [publish('1'), publish('2')]
    deliver(inHand)
    model.crashed()
    expect(deliver(inHand, { attempt: 1 })).toEqual(fault('as attempt 1 instead of 2'))
    expect(deliver(other, { attempt: 2 })).toEqual([])
  })
})

describe('the order of a key', () => {
  it('is the order of publishing', () => {
    const { publish, deliver } = started()
    const [first, second, other] = [publish('1', { key: 'k' }), publish('2', { key: 'k' }), publish('3', { key: 'l' })]
    expect(deliver(other)).toEqual([])
    expect(deliver(second)).toEqual(fault('2 of key k was delivered before 1'))
    expect(deliver(first)).toEqual([])
  })

  it('is taken up again by what was given back', () => {
    const { publish, deliver, release } = started()
    const [first, second] = [publish('1', { key: 'k' }), publish('2', { key: 'k' })]
    deliver(first)
    release(first)
    expect(deliver(second)).toEqual(fault('before 1'))
  })

  it('goes on past what waits for its time, unless that holds the key', () => {
    const { model, publish, deliver, release } = started()
    const [first, second, third] = ['1', '2', '3'].map((id) => publish(id, { key: 'k' }))
    if (!first || !second || !third) throw new Error('three entries')
    deliver(first)
    release(first, { inMs: 100 })
    expect(deliver(second)).toEqual([])
    release(second, { inMs: 100, holds: true })
    expect(deliver(third)).toEqual(fault('while 2 held the key'))
    model.acknowledged(second)
    release(third)
    expect(deliver(third)).toEqual([])
  })

  it('begins for a delayed record when it is due', () => {
    const { now, publish, deliver } = started()
    const later = publish('later', { key: 'k', dueAtMs: 1_500 })
    const sooner = publish('sooner', { key: 'k', dueAtMs: 1_400 })
    const first = publish('now', { key: 'k' })
    now.ms = 2_000
    const last = publish('last', { key: 'k' })
    expect(deliver(later)).toEqual(fault('before now'))
    expect(deliver(first)).toEqual([])
    expect(deliver(sooner)).toEqual([])
    expect(deliver(last)).toEqual([])
  })

  it('is that of their times for delayed records, further apart than the engine is exact', () => {
    const { now, publish, deliver, release } = started({ delayPrecisionMs: 250 })
    const first = publish('first', { key: 'k', dueAtMs: 1_100 })
    const near = publish('near', { key: 'k', dueAtMs: 1_350 })
    const far = publish('far', { key: 'k', dueAtMs: 1_351 })
    now.ms = 2_000
    expect(deliver(first)).toEqual([])
    release(first)
    expect(deliver(near)).toEqual([])
    expect(deliver(far)).toEqual(fault('before first'))
  })

  it('is with one member at a time', () => {
    const { publish, deliver } = started()
    const [first, second] = [publish('1', { key: 'k' }), publish('2', { key: 'k' })]
    deliver(first, { member: 'a' })
    expect(deliver(second, { member: 'b' })).toEqual(fault('to b while a had 1'))
  })
})

describe('what is owed', () => {
  it('is what is ready, to members with credit', () => {
    const { model, now, publish, deliver } = started()
    const entry = publish('1')
    expect(model.owed(members(), now.ms)).toBeUndefined()
    expect(model.owed(members('m'), now.ms)).toBe(entry)
    deliver(entry)
    expect(model.owed(members('m'), now.ms)).toBeUndefined()
  })

  it('is what has become due, and not what nobody confirmed', () => {
    const { model, now, publishing, publish } = started()
    publishing('maybe')
    const later = publish('later', { dueAtMs: 1_500 })
    expect(model.owed(members('m'), now.ms)).toBeUndefined()
    expect(model.owed(members('m'), 1_500)).toBe(later)
    expect([model.outstanding().length, model.uncertain()]).toEqual([1, 1])
  })

  it('is nothing of a key that is held, or that a member without credit has', () => {
    const { model, now, publish, deliver, release } = started()
    const [first, second] = [publish('1', { key: 'k' }), publish('2', { key: 'k' })]
    deliver(first, { member: 'a' })
    expect(model.owed(members('b'), now.ms)).toBeUndefined()
    expect(model.owed(members('a'), now.ms)).toBe(second)
    release(first, { inMs: 100, holds: true })
    expect(model.owed(members('a', 'b'), now.ms)).toBeUndefined()
    expect(model.owed(members('a', 'b'), now.ms + 100)).toBe(first)
  })

  it('is nothing while a record is in hand that may have killed the process', () => {
    const { model, now, publish, deliver, release } = started()
    const [suspect, other] = [publish('1'), publish('2')]
    deliver(suspect)
    model.crashed()
    deliver(suspect, { attempt: 2 })
    expect(model.owed(members('m'), now.ms)).toBeUndefined()
    release(suspect)
    model.acknowledged(suspect)
    expect(model.owed(members('m'), now.ms)).toBe(other)
  })
})

describe('what is owed of key ranges', () => {
  const ranges = { ranges: true }

  it('is nothing while a member has no credit, which may be the reader', () => {
    const { model, now, publish } = started(ranges)
    const entry = publish('1')
    expect(model.owed([...members('a'), { name: 'b', credit: 0 }], now.ms)).toBeUndefined()
    expect(model.owed(members('a', 'b'), now.ms)).toBe(entry)
    expect(started().model.owed(members('a'), now.ms)).toBeUndefined()
  })

  it('is nothing while one of several members has something, for which its range may wait to move', () => {
    const { model, now, publish, deliver } = started(ranges)
    const [first, second] = [publish('1'), publish('2')]
    deliver(first, { member: 'a' })
    expect(model.owed(members('a'), now.ms)).toBe(second)
    expect(model.owed(members('a', 'b'), now.ms)).toBeUndefined()
    model.crashed()
    model.crashed()
    deliver(second, { member: 'a', attempt: 3 })
    expect(model.owed(members('a'), now.ms)).toBeUndefined()
    model.acknowledged(second)
    expect(model.owed(members('a'), now.ms)).toBe(first)
  })

  it('is what was lost, and may come as another attempt or as the same', () => {
    for (const attempt of [1, 2]) {
      const { model, now, publish, deliver } = started(ranges)
      const entry = publish('1')
      const received = { tag: 1, attempt: 1, storedAtMs: 0, position: '1', order: 1, member: 'm', receivedAtMs: now.ms }
      deliver(entry)
      model.lost({ ...received, record: entry.record })
      expect(model.owed(members('m'), now.ms)).toBe(entry)
      expect(deliver(entry, { attempt, member: 'other' })).toEqual([])
    }
  })
})

describe('records stored after a crash', () => {
  it('may count one attempt too many where nobody can tell what was in hand, until their key was read again', () => {
    const { model, now, publish, deliver } = started({ suspectsYoung: true })
    const before = publish('before', { key: 'k' })
    expect(deliver(before, { attempt: 2 })).toEqual(fault('attempt 2 instead of 1'))
    model.acknowledged(before)
    model.crashed()
    expect(deliver(publish('young', { key: 'k' }), { attempt: 2 })).toEqual([])
    now.ms += 1
    expect(deliver(publish('later', { key: 'k' }), { attempt: 2 })).toEqual(fault('attempt 2 instead of 1'))
    expect(deliver(publish('other', { key: 'other' }), { attempt: 3 })).toEqual(fault('attempt 3 instead of 1 to 2'))
    expect(deliver(publish('none'), { attempt: 2 })).toEqual([])
  })

  it('may do so at the reader after the next, once, where that leaves', () => {
    const { model, publish, deliver, release } = started({ suspectsYoung: true })
    const old = publish('old')
    model.crashed()
    for (const entry of [old, publish('young')]) {
      deliver(entry)
      model.returned(() => true)
      expect(deliver(entry, { attempt: 2 })).toEqual([])
      model.returned(() => true)
      expect(deliver(entry, { attempt: 3 })).toEqual(fault('attempt 3 instead of 2'))
    }
    const handedBack = publish('2')
    deliver(handedBack)
    release(handedBack)
    expect(deliver(handedBack, { attempt: 2 })).toEqual(fault('attempt 2 instead of 1'))
  })

  it('count from 1 elsewhere, and where the group was moved', () => {
    const exact = started()
    exact.model.crashed()
    expect(exact.deliver(exact.publish('1'), { attempt: 2 })).toEqual(fault('attempt 2 instead of 1'))
    const moved = started({ suspectsYoung: true })
    moved.model.crashed()
    moved.model.sought('next', moved.now.ms)
    expect(moved.deliver(moved.publish('1'), { attempt: 2 })).toEqual(fault('attempt 2 instead of 1'))
  })
})

describe('records that come back after a crash where the server counts hand-overs', () => {
  it('may count one attempt too many, each time', () => {
    const { model, publish, deliver, release } = started({ countsHandOvers: true })
    const entry = publish('1')
    deliver(entry)
    release(entry)
    expect(deliver(entry, { attempt: 2 })).toEqual(fault('attempt 2 instead of 1'))
    model.crashed()
    const young = publish('2')
    expect(deliver(young, { attempt: 3 })).toEqual(fault('attempt 3 instead of 1 to 2'))
    expect(deliver(publish('3'), { attempt: 2, member: 'gone' })).toEqual([])
    release(young)
    expect(deliver(young, { attempt: 3 })).toEqual([])
  })
})

describe('what is owed while a key range moves', () => {
  it('is nothing until what its reader had has ended, also when the newcomer is gone again', () => {
    const { model, now, publish, deliver } = started({ ranges: true })
    const owed = (...names: readonly string[]) => model.owed(members(...names), now.ms)
    const [inHand, waiting] = [publish('1'), publish('2')]
    expect(owed('a')).toBe(inHand)
    deliver(inHand)
    expect(owed('a')).toBe(waiting)
    expect(owed('a', 'b')).toBeUndefined()
    expect(owed('a')).toBeUndefined()
    model.acknowledged(inHand)
    expect(owed('a')).toBe(waiting)
  })
})

describe('members that are gone', () => {
  it('give back what they had, and only they', () => {
    const { model, publish, deliver } = started()
    const [one, two] = [publish('1'), publish('2')]
    deliver(one, { member: 'a' })
    deliver(two, { member: 'b' })
    model.returned((member) => member === 'a')
    expect([one.standing, two.standing]).toEqual(['ready', 'inFlight'])
    expect(deliver(one, { member: 'c' })).toEqual([])
  })
})

describe('records of the same id', () => {
  it('are told apart by where they stand, once they were seen', () => {
    const { model, publish, deliver, release } = started()
    const [first, second] = [publish('1'), publish('1')]
    expect(deliver(first, { position: 'p1' })).toEqual([])
    expect(deliver(second, { position: 'p2' })).toEqual([])
    release(first, { counts: true })
    expect(deliver(first, { position: 'p1', attempt: 2 })).toEqual([])
    model.acknowledged(second)
    expect(deliver(second, { position: 'p2' })).toEqual(fault('it is settled'))
  })

  it('are no record where one never was stored', () => {
    const { model, publish, publishing, deliver } = started()
    const first = publish('1')
    model.removed(publishing('1'))
    expect(deliver(first, { position: 'p1' })).toEqual([])
    expect(deliver(first, { position: 'p2' })).toEqual(fault('it is with m'))
  })
})

describe('a settlement that comes too late', () => {
  it('may have acknowledged its record, which may come again otherwise, as another attempt or as the same', () => {
    for (const attempt of [1, 2]) {
      const { model, now, publish, deliver } = started({ ranges: true })
      const entry = publish('1', { key: 'k' })
      deliver(entry)
      const { attempts } = entry
      model.acknowledged(entry)
      model.tooLate(entry, attempts, now.ms)
      expect(model.outstanding()).toEqual([])
      expect(model.uncertain()).toBe(1)
      expect(deliver(entry, { member: 'other', attempt })).toEqual([])
    }
  })

  it('has not delayed its record, nor counted more than one attempt, and the record must come', () => {
    for (const attempt of [1, 2, 3]) {
      const { model, now, publish, deliver } = started({ ranges: true })
      const entry = publish('1', { key: 'k' })
      deliver(entry)
      const { attempts } = entry
      model.releasing(entry, { counts: true, untilMs: now.ms + 500 })
      model.tooLate(entry, attempts, now.ms)
      expect(model.outstanding()).toEqual([entry])
      expect(deliver(entry, { attempt })).toEqual(attempt < 3 ? [] : fault('as attempt 3 instead of 1 to 2'))
    }
  })
})

describe('what is cancelled', () => {
  it('never comes', () => {
    const { model, now, publish, deliver } = started()
    const entry = publish('1', { dueAtMs: 1_500 })
    expect(model.cancelled('1')).toEqual([])
    now.ms = 1_500
    expect(deliver(entry)).toEqual(fault('1 was delivered and never published'))
  })

  it('has not come before, also where it waits for another attempt', () => {
    const { model, now, publish, deliver, release } = started()
    const entries = ['1', '2'].map((id) => publish(id, { dueAtMs: 1_500 }))
    now.ms = 1_500
    for (const entry of entries) expect(deliver(entry)).toEqual([])
    expect(model.cancelled('1')).toEqual(fault('1 was cancelled, it had come already'))
    release(entries[1] as ModelEntry, { inMs: 100 })
    expect(model.cancelled('2')).toEqual(fault('2 was cancelled, it had come already'))
  })

  it('may have been due for a while, also when the group was moved meanwhile', () => {
    const { model, now, publish } = started()
    publish('1', { dueAtMs: 1_500 })
    now.ms = 1_600
    model.sought('next', now.ms)
    expect(model.cancelled('1')).toEqual([])
    expect(model.entries).toEqual([])
  })
})

describe('a group that was moved', () => {
  it('to the earliest gets everything again, settled or not, as attempt 1 and without holds', () => {
    const { model, now, publish, deliver, release } = started()
    const [settled, held, behind] = ['1', '2', '3'].map((id) => publish(id, { key: 'k' }))
    if (!settled || !held || !behind) throw new Error('three entries')
    deliver(settled)
    model.acknowledged(settled)
    deliver(held)
    release(held, { counts: true, inMs: 500, holds: true })
    model.sought('earliest', now.ms)
    expect(deliver(held)).toEqual(fault('before 1'))
    model.sought('earliest', now.ms)
    for (const entry of [settled, held, behind]) expect(deliver(entry)).toEqual([])
  })

  it('to the next gets what is not due yet, and nothing of before', () => {
    const { model, now, publish, deliver } = started()
    const [before, later] = [publish('before'), publish('later', { dueAtMs: 1_500 })]
    model.sought('next', now.ms)
    expect(deliver(before)).toEqual(fault('it is settled'))
    now.ms = 1_500
    expect(model.owed(members('m'), now.ms)).toBe(later)
    expect(deliver(later)).toEqual([])
  })

  it('may or may not get what fell due and was not seen yet', () => {
    const { model, now, publish, deliver } = started()
    const due = publish('due', { dueAtMs: 1_500 })
    now.ms = 1_500
    model.sought('next', now.ms)
    expect(model.owed(members('m'), now.ms)).toBeUndefined()
    expect(deliver(due)).toEqual([])
  })

  it('keeps what was addressed to it', () => {
    const { model, now, publish, deliver } = started()
    const addressed = publish('1', { group: 'g' })
    model.sought('next', now.ms)
    expect(deliver(addressed)).toEqual([])
  })
})
