import { EventEmitter } from 'node:events'
import type { PosthasteError } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Link } from './link.ts'
import { isQuestion, QueueChannels } from './queue-channels.ts'
import { timely } from './timely.ts'

interface Queue {
  readonly messageCount?: number
  readonly consumerCount?: number
  /** What it answers whoever wants a message. */
  readonly get?: () => Promise<unknown>
}

/** A server with one queue, whose connections count what becomes of them. */
function serverWith(queue: Queue, generation = 2) {
  const clock = manualClock()
  const told: (string | undefined)[] = []
  const sent: { readonly headers: Readonly<Record<string, unknown>> }[] = []
  const state = { queue, links: 0, closed: 0, asked: 0, generation }
  const channel = () => {
    const made = Object.assign(new EventEmitter(), {
      active: true,
      close: async () => {
        made.active = false
      },
      _invoke: (...[question]: readonly unknown[]): Promise<unknown> => {
        const { messageCount = 0, consumerCount = 0, get = async () => undefined } = state.queue
        if (question === 'declare') return Promise.resolve({ messageCount, consumerCount })
        state.asked += 1
        return get()
      },
      queueDeclare: () => made._invoke('declare'),
      basicGet: () => made._invoke('get'),
      confirmSelect: async () => {},
      basicPublish: (envelope: (typeof sent)[number]) => {
        sent.push(envelope)
        return (state.queue.get ?? (async () => {}))()
      },
    })
    return timely(made as never, { clock, timeoutMs: 1_000 })
  }
  const link = (): Link => {
    state.links += 1
    const close = async () => {
      state.closed += 1
    }
    return {
      isUp: true,
      generation: state.generation,
      up: async () => {},
      channel: async () => channel(),
      close,
    } as unknown as Link
  }
  const channels = new QueueChannels({
    ...{ link: link(), linkApart: link, clock, timeoutMs: 1_000 },
    onSilent: (name: string, cause: PosthasteError | undefined) => told.push(cause && `${name} ${cause.code}`),
  })
  return { clock, told, sent, state, channels }
}

const never = () => new Promise(() => {})
const reply = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

describe('a queue that is opened', () => {
  it.each([{ messageCount: 1 }, { consumerCount: 1 }])('is not asked where it tells %o', async (counts) => {
    const { channels, state } = serverWith({ ...counts, get: never })
    expect((await channels.open(['q'], true)).active).toBe(true)
    expect(state).toMatchObject({ links: 1, asked: 0 })
  })

  it('is not asked over the first connection', async () => {
    const { channels, state } = serverWith({ get: never }, 1)
    expect((await channels.open(['q'], true)).active).toBe(true)
    expect(state).toMatchObject({ links: 1, asked: 0 })
  })

  it('is asked over a connection apart where it tells nothing, which is left after a while', async () => {
    const { channels, state, clock } = serverWith({})
    expect((await channels.open(['q', 'r'], true)).active).toBe(true)
    expect(state).toMatchObject({ links: 2, asked: 2, closed: 0 })
    await clock.advance(1_000)
    expect(state.closed).toBe(1)
  })

  it('has answered also where it gives nothing to others than its one consumer', async () => {
    const { channels, told } = serverWith({ get: reply('RESOURCE_LOCKED') })
    expect((await channels.open(['q'], true)).active).toBe(true)
    expect(told).toEqual([])
  })

  it('is told when it does not answer, once, and when it does again', async () => {
    const { channels, told, state, clock } = serverWith({ get: never })
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const opened = expect(channels.open(['q'], true)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      await clock.advance(1_000)
      await opened
    }
    expect(told).toEqual(['q UNAVAILABLE'])
    // The server would end them for it.
    expect(state).toMatchObject({ links: 3, closed: 2 })
    state.queue = {}
    await channels.open(['q'], true)
    expect(told).toEqual(['q UNAVAILABLE', undefined])
  })

  it('is told no more when nobody wants it any more', async () => {
    const { channels, told, clock } = serverWith({ get: never })
    const opened = channels.open(['q'], true).catch(() => {})
    await clock.advance(1_000)
    await opened
    channels.left(['q', 'r'])
    expect(told).toEqual(['q UNAVAILABLE', undefined])
  })

  it('is sent what is gone at once where it would give messages away', async () => {
    const { channels, told, sent, clock, state } = serverWith({})
    await channels.open(['q'], false)
    expect(sent).toMatchObject([{ routingKey: 'q', expiration: '0' }])
    expect(sent.every(isQuestion)).toBe(true)
    state.queue = { get: never }
    const opened = expect(channels.open(['q'], false)).rejects.toMatchObject({ code: 'UNAVAILABLE' })
    await clock.advance(1_000)
    await opened
    expect(told).toEqual(['q UNAVAILABLE'])
  })

  it('is not asked after the end: that would leave a connection behind', async () => {
    const { channels, state } = serverWith({})
    await channels.close()
    await expect(channels.open(['q'], true)).rejects.toMatchObject({ code: 'ENGINE_CLOSED' })
    expect(state.links).toBe(1)
  })

  it('is gone where the server says so', async () => {
    const { channels, told } = serverWith({ get: reply('NOT_FOUND') })
    await expect(channels.open(['q'], true)).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(told).toEqual([])
  })
})
