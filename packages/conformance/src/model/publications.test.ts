import type { OutgoingRecord } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import type { Received } from '../witness.ts'
import { GroupModel, type ModelEntry } from './model.ts'
import { Publications } from './publications.ts'

const windowMs = 100

/** Publications on a channel that recognises repeated ids, whose server takes as long to answer as the test says. */
function started(time: 'virtual' | 'machine' = 'virtual') {
  const state = { nowMs: 1_000, answersInMs: 0, published: [] as string[] }
  const accusations: string[] = []
  const context = {
    nowMs: () => state.nowMs,
    witness: { accuse: (what: string) => accusations.push(what) },
    capabilities: { delay: 'native', groupAddress: 'native' },
    underTest: time === 'virtual' ? { advance: async () => {} } : {},
  } as unknown as CaseContext
  let ids = 0
  const channel = {
    spec: { deduplicateForMs: windowMs },
    record: (wish: Partial<OutgoingRecord>): OutgoingRecord => {
      ids += 1
      return { headers: {}, body: new Uint8Array(), ...wish, id: String(ids), channel: 'c' }
    },
    publish: async (...records: readonly OutgoingRecord[]) => {
      state.published.push(...records.map(({ id }) => id))
      state.nowMs += state.answersInMs
    },
  } as unknown as TestChannel
  const exact = { exactAttempts: true, suspectsYoung: false, countsHandOvers: false }
  const model = new GroupModel({ keyed: true, ranges: false, delayPrecisionMs: 10, ...exact })
  const groups = new Map([['g', model]])
  const publications = new Publications({ context, channel, groups, stepMs: 25, accepts: () => true })
  const publish = async () => {
    const shape = { key: 'k', steps: 0, group: undefined, wanted: true }
    const [record] = await publications.publish([shape])
    return record as OutgoingRecord
  }
  const deliver = (record: OutgoingRecord, position: string): readonly string[] => {
    const received: Received = {
      ...{ record, position, attempt: 1, member: 'm', receivedAtMs: state.nowMs },
      ...{ tag: 1, storedAtMs: 0, order: 1 },
    }
    return model.delivered(received)
  }
  const standings = (id: string) => model.entries.filter(({ record }) => record.id === id).map(standingOf)
  return { state, accusations, model, publications, publish, deliver, standings }
}

const standingOf = ({ standing }: ModelEntry) => standing

describe('a record that is published again', () => {
  it('is not stored within the window of its channel, and is once that is over', async () => {
    const { state, publications, publish, standings } = started()
    const { id } = await publish()
    await publications.repeat(0)
    expect(standings(id)).toEqual(['ready'])
    state.nowMs += windowMs
    await publications.repeat(0)
    expect(standings(id)).toEqual(['ready', 'ready'])
  })

  it('may or may not be stored for a while after that where the server has a clock of its own', async () => {
    const { state, accusations, publications, publish, standings } = started('machine')
    const first = await publish()
    state.nowMs += windowMs + 40
    await publications.repeat(0)
    expect(standings(first.id)).toEqual(['ready', 'maybe'])
    const second = await publish()
    state.nowMs += windowMs + 500
    await publications.repeat(0)
    expect(standings(second.id)).toEqual(['ready', 'ready'])
    expect(accusations).toEqual([])
  })

  it('must not be delivered where it was not stored', async () => {
    const { state, accusations, publications, publish, deliver } = started()
    const record = await publish()
    expect(deliver(record, 'p1')).toEqual([])
    const repeated = publications.repeat(0)
    expect(deliver(record, 'p2')).toEqual([])
    await repeated
    expect(accusations).toEqual(['1 was stored again'])
    expect(state.published).toEqual(['1', '1'])
  })

  it('is not published a third time where nobody can say whether it was stored', async () => {
    const { state, model, publications, publish, deliver, standings } = started()
    const record = await publish()
    expect(deliver(record, 'p1')).toEqual([])
    for (const entry of model.entries) model.acknowledged(entry)
    state.nowMs += windowMs - 10
    state.answersInMs = 20
    await publications.repeat(0)
    expect(standings(record.id)).toEqual(['done', 'maybe'])
    await publish()
    state.nowMs += windowMs
    await publications.repeat(0)
    // A third place of the first, behind the second, could be taken for the one before it that may be none.
    expect(state.published).toEqual(['1', '1', '2', '2'])
  })
})
