import { PosthasteError } from '@posthaste/contracts'
import { manualClock, recordingLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster.ts'
import { Member } from './member.ts'

const sessionTimeoutMs = 3_000

/** A server that gives out partition 0, and answers when the test says so. */
function joined() {
  const clock = manualClock()
  const told: string[] = []
  const waiting: (() => void)[] = []
  const state = { answersAtOnce: true, epoch: 0, heartbeatIntervalMs: 1_000 }
  const asked: { readonly id: string; readonly epoch: number }[] = []
  const lane = {
    async call(...[, , id, epoch]: [unknown, string, string, number]) {
      asked.push({ id, epoch })
      if (!state.answersAtOnce) await new Promise<void>((resolve) => waiting.push(resolve))
      state.epoch += 1
      const assignment = { topicPartitions: [{ topicId: 't', partitions: [0] }] }
      const { epoch: memberEpoch, heartbeatIntervalMs } = state
      return { memberEpoch, heartbeatIntervalMs, assignment }
    },
  }
  const log = recordingLog()
  const sessionsGiven = new Set<string>()
  const cluster = {
    host: { clock, log, random: () => 0.5 },
    settings: { sessionTimeoutMs, rebalanceTimeoutMs: 60_000 },
    sessionsGiven,
    isClosed: false,
    topic: async () => ({ id: 't', leaders: [0] }),
    coordinator: async () => 0,
    lane: () => lane,
  } as unknown as Cluster
  const listener = {
    gained: (partitions: readonly number[]) => told.push(`gained ${partitions}`),
    recalled: () => told.push('recalled'),
    fenced: ({ code }: PosthasteError) => told.push(`fenced ${code}`),
    ended: () => told.push('ended'),
  }
  const member = new Member(cluster, { groupId: 'g', topic: 'c', instanceId: undefined, listener })
  const answerAll = () => {
    for (const answer of waiting.splice(0)) answer()
  }
  return { clock, member, told, state, asked, answerAll, sessionsGiven, log }
}

/** Joins, and tells whether that is over. */
function joining(member: Member) {
  const join = { isOver: false }
  void member.join().then(() => {
    join.isOver = true
  })
  return join
}

describe('a member of a group', () => {
  it('has nothing any more when its session is over by its own clock, whether or not anything failed', async () => {
    const { clock, member, told, state } = joined()
    await member.join()
    await clock.advance(0)
    state.answersAtOnce = false
    await clock.advance(sessionTimeoutMs - 1)
    expect(told).toEqual(['gained 0'])
    expect(member.stands).toBe(true)
    await clock.advance(501)
    expect(told).toEqual(['gained 0', 'fenced DELIVERY_LOST'])
    expect(member.owns(0)).toBe(false)
  })

  it('counts its session from when it gave a sign of life, not from the answer', async () => {
    const { clock, member, told, state, answerAll } = joined()
    await member.join()
    await clock.advance(0)
    state.answersAtOnce = false
    await clock.advance(sessionTimeoutMs - 500)
    answerAll()
    await clock.advance(sessionTimeoutMs - 500)
    expect(told).toEqual(['gained 0', 'fenced DELIVERY_LOST'])
  })

  it('takes nothing from an answer to what it asked before it was fenced', async () => {
    const { clock, member, told, state, answerAll } = joined()
    await member.join()
    await clock.advance(0)
    state.answersAtOnce = false
    await clock.advance(sessionTimeoutMs + 500)
    answerAll()
    await clock.advance(0)
    expect(member.epoch).toBe(0)
    state.answersAtOnce = true
    answerAll()
    await clock.advance(1_000)
    expect(told).toEqual(['gained 0', 'fenced DELIVERY_LOST', 'gained 0'])
    member.abandon()
  })

  it('is another one after it was fenced, so that nothing late is taken for its own, and leaves as the one it was', async () => {
    const { clock, member, asked } = joined()
    await member.join()
    await clock.advance(0)
    const { id } = member
    asked.splice(0)
    member.fence(new PosthasteError('UNAVAILABLE', 'nobody knows where the group stands'))
    expect(member.id).not.toBe(id)
    await clock.advance(500)
    expect(asked.slice(0, 2)).toEqual([
      { id, epoch: -1 },
      { id: member.id, epoch: 0 },
    ])
    expect(asked.slice(2).every((each) => each.id === member.id && each.epoch > 0)).toBe(true)
    member.abandon()
  })

  it('stands as long as it is heard of', async () => {
    const { clock, member, told } = joined()
    await member.join()
    await clock.advance(10 * sessionTimeoutMs)
    expect(told).toEqual(['gained 0'])
    member.abandon()
    await clock.advance(10 * sessionTimeoutMs)
    expect(told).toEqual(['gained 0'])
  })

  it('has joined once the server goes by the session that this engine gave the group, however late that is', async () => {
    const { clock, member, state, sessionsGiven, log } = joined()
    sessionsGiven.add('g')
    state.heartbeatIntervalMs = 5_000
    const join = joining(member)
    await clock.advance(20_000)
    expect(join.isOver).toBe(false)
    state.heartbeatIntervalMs = 1_000
    await clock.advance(1_000)
    expect(join.isOver).toBe(true)
    expect(log.entries).toEqual([])
    member.abandon()
  })

  it('goes by another session soon where others gave it, and in the end in any case, and says so', async () => {
    for (const [given, afterMs] of [
      [[], 3_000],
      [['g'], 31_000],
    ] as const) {
      const { clock, member, state, sessionsGiven, log } = joined()
      for (const each of given) sessionsGiven.add(each)
      state.heartbeatIntervalMs = 5_000
      const join = joining(member)
      await clock.advance(afterMs)
      expect(join.isOver).toBe(true)
      expect(log.entries).toMatchObject([{ level: 'warn', fields: { groupId: 'g' } }])
      member.abandon()
    }
  })
})
