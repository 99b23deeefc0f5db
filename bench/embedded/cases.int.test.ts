import { describe, expect, it } from 'vitest'
import { natsDefault } from '../brokers/nats.ts'
import { rabbitmq } from '../brokers/rabbitmq.ts'
import { redis } from '../brokers/redis.ts'
import type { CaseResult } from '../document.ts'
import { waiting, waitingAtRate } from './latency.ts'
import { fanningOut, passing, publishing } from './throughput.ts'

const rates = { publish: { small: 10, large: 20 }, through: 0.001 }
const brokers = new Map([rabbitmq, natsDefault, redis].map((broker) => [broker, rates]))
const work = { rounds: 1, outstanding: 64, bytes: 100, brokers }

const names = (results: readonly CaseResult[]): string[] => results.map((result) => result.case)
const named = (results: readonly CaseResult[], name: string): CaseResult => results.find((each) => each.case === name)!

/** Little work: whether each case can be measured at all, not how fast. */
describe('the cases', () => {
  it('of publishing have lmdb, the brokers and the disk beside them, and a goal', async () => {
    const results = await publishing({
      ...work,
      name: '1 KiB',
      size: 'large',
      count: 200,
      bytes: 1_024,
      disk: 1_024_000,
    })
    const name = 'durable publish, 1 KiB'
    expect(names(results)).toEqual([name, `${name}, engine alone`, `${name}, main thread`])
    const { peers, limit, goal, ours } = named(results, name)
    expect(ours).toBeGreaterThan(0)
    expect(Object.keys(peers)).toEqual(['lmdb put', rabbitmq.name, natsDefault.name, redis.name])
    expect(peers[redis.name]).toBe(20)
    expect(limit).toEqual({ name: 'disk, bodies alone', value: 1_000 })
    expect(goal).toBe('at least 0.8 of lmdb put')
  })

  it('of handling have a goal as such, and one against each broker that has one', async () => {
    const results = await passing({ ...work, count: 200 })
    const name = 'publish, handle, ack, 100 B'
    const against = [rabbitmq, natsDefault].map((broker) => `${name}, against ${broker.name}`)
    expect(names(results)).toEqual([name, ...against, `${name}, 1,000 keys`, `${name}, main thread`])
    expect(named(results, name).goal).toBe('at least 300,000 msg/s')
    expect(named(results, against[0]!)).toMatchObject({ goal: `at least 8 of ${rabbitmq.name}`, met: true })
    expect(named(results, against[1]!)).toMatchObject({ goal: `at least 3 of ${natsDefault.name}`, met: true })
  })

  it('of handling leave out the brokers that were not measured', async () => {
    const results = await passing({ ...work, count: 100, brokers: new Map() })
    expect(names(results).filter((name) => name.includes('against'))).toEqual([])
  })

  it('of fan-out count deliveries', async () => {
    const [result] = await fanningOut({ rounds: 1, groups: 5, messages: 50, outstanding: 16, bytes: 100 })
    expect(result).toMatchObject({ case: 'fan-out to 5 groups, 100 B', unit: 'deliveries/s', goal: null })
    expect(result!.peers['one group']).toBeGreaterThan(0)
  })

  it('of latency stand beside one sync', async () => {
    const single = await waiting({ rounds: 1, samples: 20, bytes: 100 })
    const rates = [{ perSecond: 1_000, count: 50 }]
    const steady = await waitingAtRate({ rounds: 1, samples: 20, bytes: 100, rates })
    expect(names([...single, ...steady])).toEqual([
      'latency of a single publish, 100 B, p50',
      'latency of a single publish, 100 B, p99',
      'latency of publish to handler, 100 B, 1,000 msg/s, p50',
      'latency of publish to handler, 100 B, 1,000 msg/s, p99',
    ])
    for (const { ours, limit } of [...single, ...steady]) {
      expect(limit?.name).toBe('write and fdatasync')
      expect(ours).toBeGreaterThan(0)
    }
  })
})
