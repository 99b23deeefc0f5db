import { EventEmitter } from 'node:events'
import { silentLog } from 'posthaste/pipeline'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Link } from './link.ts'
import { Presence } from './presence.ts'

/** Presence on a server whose channels answer as the test says. */
function presence(answer: (attempt: number) => Promise<void> = async () => {}) {
  const clock = manualClock()
  const channels: FakeChannel[] = []
  const link = {
    up: async () => {},
    channel: async () => {
      const channel = new FakeChannel(() => answer(channels.length))
      channels.push(channel)
      return channel
    },
  }
  const deps = { link: link as unknown as Link, clock, log: silentLog, random: () => 0.5 }
  return { subject: new Presence(deps), clock, channels }
}

class FakeChannel extends EventEmitter {
  active = true
  /** The queues that are consumed, by consumer. */
  readonly consumed = new Map<string, string>()
  readonly #answer: () => Promise<void>
  #consumers = 0

  constructor(answer: () => Promise<void>) {
    super()
    this.#answer = answer
  }

  async queueDeclare(): Promise<void> {
    await this.#answer().catch((thrown: unknown) => {
      this.end()
      throw thrown
    })
  }

  async basicConsume({ queue }: { readonly queue: string }): Promise<{ readonly consumerTag: string }> {
    this.#consumers += 1
    const consumerTag = `c${this.#consumers}`
    this.consumed.set(consumerTag, queue)
    return { consumerTag }
  }

  async basicCancel(consumerTag: string): Promise<void> {
    this.consumed.delete(consumerTag)
  }

  async close(): Promise<void> {
    if (this.active) this.end()
  }

  end(): void {
    this.active = false
    // As with the client, whoever asked is told first.
    setImmediate(() => this.emit('close'))
  }

  get queues(): readonly string[] {
    return [...this.consumed.values()].sort()
  }
}

const turns = async () => {
  for (let turn = 0; turn < 4; turn += 1) await new Promise((resolve) => setImmediate(resolve))
}
const refused = (code: string) => Object.assign(new Error(code), { code })

describe('the presence of members', () => {
  it('is a consumer each, over one channel, until they leave', async () => {
    const { subject, channels } = presence()
    const leave = subject.enter('a')
    await turns()
    const ends = [subject.enter('a'), subject.enter('b')]
    await turns()
    expect(channels).toHaveLength(1)
    expect(channels[0]?.queues).toEqual(['a', 'a', 'b'])
    leave()
    leave()
    for (const end of ends) end()
    await turns()
    expect(channels[0]?.queues).toEqual([])
  })

  it('is nothing for one that leaves before it is told', async () => {
    const { subject, channels } = presence()
    subject.enter('a')()
    const stays = subject.enter('b')
    await turns()
    subject.enter('c')()
    await turns()
    expect(channels.flatMap(({ queues }) => queues)).toEqual(['b'])
    stays()
  })

  it('is told anew over another channel when one is lost, and no more when nobody is there', async () => {
    const { subject, channels } = presence()
    const ends = [subject.enter('a'), subject.enter('b')]
    await turns()
    channels[0]?.end()
    await turns()
    expect(channels).toHaveLength(2)
    expect(channels[1]?.queues).toEqual(['a', 'b'])
    for (const end of ends) end()
    channels[1]?.end()
    await turns()
    expect(channels).toHaveLength(2)
  })

  it('is tried again later where a queue has just gone, or its node', async () => {
    const { subject, channels, clock } = presence(async (attempt) => {
      if (attempt === 1) throw refused('NOT_FOUND')
    })
    subject.enter('a')
    await turns()
    expect(channels).toHaveLength(1)
    await clock.advance(60)
    await turns()
    expect(channels.map(({ queues }) => queues)).toEqual([[], ['a']])
  })

  it('is given up where it is not allowed, until the next member', async () => {
    const { subject, channels, clock } = presence(async () => {
      throw refused('ACCESS_REFUSED')
    })
    subject.enter('a')
    await turns()
    await clock.advance(60_000)
    await turns()
    expect(channels).toHaveLength(1)
    subject.enter('b')
    await turns()
    expect(channels).toHaveLength(2)
  })

  it('ends with the engine', async () => {
    const { subject, channels } = presence()
    subject.enter('a')
    await turns()
    await subject.close()
    expect(channels[0]?.active).toBe(false)
    await turns()
    expect(channels).toHaveLength(1)
  })

  it('that was about to begin leaves nothing open', async () => {
    const { subject, channels } = presence()
    subject.enter('a')
    await subject.close()
    await turns()
    expect(channels.filter(({ active }) => active)).toEqual([])
  })
})
