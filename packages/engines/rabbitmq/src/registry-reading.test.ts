import { EventEmitter } from 'node:events'
import { succeeded } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import type { Channel } from 'rabbitmq-client'
import { describe, expect, it } from 'vitest'
import type { Outbound } from './lane.ts'
import type { Publisher } from './publisher.ts'
import type { Received } from './record-codec.ts'
import { entryMessage, keyOf } from './registry-entries.ts'
import { Reading } from './registry-reading.ts'

/** A look at a registry with these channels, whose queue the test hands messages over from. */
function reading(channels: readonly string[]) {
  const clock = manualClock()
  const told: string[] = []
  const stored: Outbound[] = channels.map((channel) => entryMessage('registry', { channel }))
  const channel = new FakeChannel(told)
  const publisher = {
    send: async (messages: readonly Outbound[]) => {
      stored.push(...messages)
      return messages.map(() => succeeded)
    },
  }
  const deps = { channel: channel as unknown as Channel, publisher: publisher as unknown as Publisher }
  const subject = new Reading({ ...deps, queue: 'registry', clock, timeoutMs: 1_000 })
  return { subject, clock, told, stored, channel }
}

class FakeChannel extends EventEmitter {
  active = true
  readonly #told: string[]
  #deliver: (message: Received) => void = () => {}

  constructor(told: string[]) {
    super()
    this.#told = told
  }

  async basicQos(): Promise<void> {}

  async basicConsume(_: unknown, deliver: (message: Received) => void): Promise<void> {
    this.#deliver = deliver
  }

  hand({ envelope, body }: Outbound, deliveryTag: number): void {
    this.#deliver({ deliveryTag, body, headers: envelope.headers })
  }

  basicAck({ deliveryTag }: { readonly deliveryTag: number }): void {
    this.#told.push(`ack ${deliveryTag}`)
  }

  basicNack({ deliveryTag }: { readonly deliveryTag: number }): void {
    this.#told.push(`back ${deliveryTag}`)
  }

  async queueDeclare(): Promise<void> {
    this.#told.push('question')
  }
}

const turns = () => new Promise((resolve) => setImmediate(resolve))

describe('a look at the registry', () => {
  it('sees all that stands before its fence, and leaves it there', async () => {
    const { subject, stored, channel, told } = reading(['a', 'b'])
    const taking = subject.take()
    await turns()
    stored.forEach((message, at) => {
      channel.hand(message, at + 1)
    })
    const { entries } = await taking
    expect(Array.from(entries.values(), ({ entry }) => keyOf(entry))).toEqual(['a', 'b'])
    await subject.takeOut([])
    expect(told).toEqual(['ack 3', 'question'])
  })

  it('has taken out what it acknowledged once the fence has come again behind it', async () => {
    const { subject, stored, channel, told } = reading(['a', 'b'])
    const taking = subject.take()
    await turns()
    stored.forEach((message, at) => {
      channel.hand(message, at + 1)
    })
    await taking
    const takingOut = subject.takeOut([1, 2])
    await turns()
    expect(told).toEqual(['ack 1', 'ack 2', 'back 3'])
    channel.hand(stored[2] as Outbound, 4)
    await takingOut
    expect(told).toEqual(['ack 1', 'ack 2', 'back 3', 'ack 4', 'question'])
  })

  it('is not waited for longer than the time limit, nor over a lost connection', async () => {
    const slow = reading([])
    const waiting = slow.subject.take()
    const late = expect(waiting).rejects.toMatchObject({
      code: 'UNAVAILABLE',
      message: expect.stringContaining('1000 ms'),
    })
    await turns()
    await slow.clock.advance(1_000)
    await late

    const cut = reading([])
    const taking = cut.subject.take()
    await turns()
    cut.channel.emit('close')
    await expect(taking).rejects.toMatchObject({ code: 'UNAVAILABLE', message: expect.stringContaining('lost') })
  })
})
