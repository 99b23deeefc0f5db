import { describe, expect, it } from 'vitest'
import type { Broker, BrokerQueue } from '../brokers/broker.ts'
import { brokerFigures } from './brokers.ts'

const work = { rounds: 2, durationMs: 5, outstanding: 4, bytes: { small: 10, large: 100 } }

/** Delivers what was published in the next turn. */
class Queue implements BrokerQueue {
  #handler: (() => void) | undefined
  #unacknowledged = 0
  readonly sizes: number[] = []

  async publish(body: Buffer): Promise<void> {
    this.sizes.push(body.length)
    this.#unacknowledged++
    setImmediate(() => {
      this.#handler?.()
      this.#unacknowledged--
    })
    await new Promise(setImmediate)
  }
  async consume(handler: () => void): Promise<void> {
    this.#handler = handler
  }
  async isDone(): Promise<boolean> {
    return this.#unacknowledged === 0
  }
  async close(): Promise<void> {}
}

function fake(queues: Queue[], stopped: string[], open = async (): Promise<Queue> => new Queue()): Broker {
  const running = {
    version: '1.2',
    open: async () => {
      const queue = await open()
      queues.push(queue)
      return queue
    },
    stop: async () => void stopped.push('one'),
  }
  return { name: 'one', missing: () => undefined, start: async () => running }
}

describe('brokers', () => {
  it('are given the same work, each on a queue of its own per round, and stopped', async () => {
    const queues: Queue[] = []
    const stopped: string[] = []
    const broker = fake(queues, stopped)
    const { rates, notes } = await brokerFigures(work, [broker])
    const { publish, through } = rates.get(broker)!
    for (const rate of [publish.small, publish.large, through]) expect(rate).toBeGreaterThan(0)
    expect(notes).toEqual({ one: '1.2' })
    // Three kinds of work, two rounds and the one that warms up.
    expect(queues.map(({ sizes }) => [...new Set(sizes)])).toEqual(
      [10, 10, 10, 100, 100, 100, 10, 10, 10].map((n) => [n]),
    )
    expect(stopped).toEqual(['one'])
  })

  it('that are missing are named with the reason, and the others measured', async () => {
    const missing: Broker = { ...fake([], []), name: 'none', missing: () => 'not installed' }
    const { rates, notes } = await brokerFigures(work, [missing, fake([], [])])
    expect(rates.size).toBe(1)
    expect(notes).toEqual({ none: 'not installed', one: '1.2' })
  })

  it('are stopped when their work fails', async () => {
    const stopped: string[] = []
    const broken = fake([], stopped, async () => {
      throw new Error('no more connections')
    })
    await expect(brokerFigures(work, [broken])).rejects.toThrow('no more connections')
    expect(stopped).toEqual(['one'])
  })
})
