import { EventEmitter } from 'node:events'
import type { PosthasteError } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Link } from './link.ts'
import type { Outbound, Publisher } from './publisher.ts'
import { QueueChannels } from './queue-channels.ts'
import { timely } from './timely.ts'

interface Queue {
  readonly messageCount?: number
  readonly consumerCount?: number
  /** What it answers whoever wants a message. */
  readonly get?: () => Promise<unknown>
}

/** A server with one queue, whose connections count what becomes of them. */
function serverWith(queue: Queue) {
  const clock = manualClock()
  const told: (string | undefined)[] = []
  const acked: number[] = []
  const copies: Outbound[] = []
  const state = { queue, links: 0, closed: 0, asked: 0 }
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
      basicAck: ({ deliveryTag }: { readonly deliveryTag: number }) => acked.push(deliveryTag),
    })
    return timely(made as never, { clock, timeoutMs: 1_000 })
  }
  const link = (): Link => {
    state.links += 1
    const close = async () => {
      state.closed += 1
    }
    return { isUp: true, up: async () => {}, channel: async () => channel(), close } as unknown as Link
  }
  const send = async (messages: readonly Outbound[]) => {
    copies.push(...messages)
    return messages.map(() => ({ ok: true }))
  }
  const channels = new QueueChannels({
    ...{ link: link(), linkApart: link, clock, timeoutMs: 1_000 },
    publisher: { send } as unknown as Publisher,
    onSilent: (name: string, cause: PosthasteError | undefined) => told.push(cause && `${name} ${cause.code}`),
  })
  return { clock, told, acked, copies, state, channels }
}

const never = () => new Promise(() => {})
const reply = (code: string) => () => Promise.reject(Object.assign(new Error(code), { code }))

describe('a queue that is opened', () => {
  it.each([{ messageCount: 1 }, { consumerCount: 1 }])('is not asked where it tells %o', async (counts) => {
    const { channels, state } = serverWith({ ...counts, get: never })
    expect((await channels.open(['q'])).active).toBe(true)
    expect(state).toMatchObject({ links: 1, asked: 0 })
  })

  it('is asked over a connection apart where it tells nothing, which is left after a while', async () => {
    const { channels, state, clock } = serverWith({})
    expect((await channels.open(['q', 'r'])).active).toBe(true)
    expect(state).toMatchObject({ links: 2, asked: 2, closed: 0 })
    await clock.advance(1_000)
    expect(state.closed).toBe(1)
  })

  it('has answered also where it gives nothing to others than its one consumer', async () => {
    const { channels, told } = serverWith({ get: reply('RESOURCE_LOCKED') })
    expect((await channels.open(['q'])).active).toBe(true)
    expect(told).toEqual([])
  })

  it('is told when it does not answer, once, and when it does again', async () => {
    const { channels, told, state, clock } = serverWith({ get: never })
    for (let attempt = 0; attempt < 2; attempt += 1) {
      const opened = expect(channels.open(['q'])).rejects.toMatchObject({ code: 'UNAVAILABLE' })
      await clock.advance(1_000)
      await opened
    }
    expect(told).toEqual(['q UNAVAILABLE'])
    // The server would end them for it.
    expect(state).toMatchObject({ links: 3, closed: 2 })
    state.queue = {}
    await channels.open(['q'])
    expect(told).toEqual(['q UNAVAILABLE', undefined])
  })

  it('is told no more when nobody wants it any more', async () => {
    const { channels, told, clock } = serverWith({ get: never })
    const opened = channels.open(['q']).catch(() => {})
    await clock.advance(1_000)
    await opened
    channels.left(['q', 'r'])
    expect(told).toEqual(['q UNAVAILABLE', undefined])
  })

  it('keeps what it gives away: a copy counts nothing', async () => {
    const message = { deliveryTag: 5, headers: {}, body: Buffer.from('x') }
    const { channels, acked, copies } = serverWith({ get: async () => message })
    await channels.open(['q'])
    expect(acked).toEqual([5])
    expect(copies).toMatchObject([{ envelope: { exchange: '', routingKey: 'q' }, body: message.body }])
  })

  it('is gone where the server says so', async () => {
    const { channels, told } = serverWith({ get: reply('NOT_FOUND') })
    await expect(channels.open(['q'])).rejects.toMatchObject({ code: 'NOT_FOUND' })
    expect(told).toEqual([])
  })
})
