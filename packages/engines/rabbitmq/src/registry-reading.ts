import { randomUUID } from 'node:crypto'
import type { Clock } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import { fence } from './control-messages.ts'
import { fail } from './errors.ts'
import type { Publisher } from './publisher.ts'
import type { Received } from './record-codec.ts'
import { type Contents, fenceIn, sortContents } from './registry-entries.ts'
import { onGone, within } from './timely.ts'

/** What reading the registry needs. */
export interface ReadingDeps {
  /** One of its own: its end gives back what was not taken out, in one step. */
  readonly channel: Channel
  readonly queue: string
  readonly publisher: Publisher
  readonly clock: Clock
  readonly timeoutMs: number
}

/**
 * One look at the registry, whose queue has a single active consumer. All that stands there comes, and behind it a fence of
 * our own: whoever looked before gives back what was there before the fence in front of it.
 */
export class Reading {
  readonly #deps: ReadingDeps
  readonly #id: string
  readonly #taken: Received[] = []
  #fence: PromiseWithResolvers<number>

  constructor(deps: ReadingDeps) {
    this.#deps = deps
    this.#id = `${deps.clock.nowMs()}-${randomUUID()}`
    this.#fence = awaited()
  }

  /**
   * Takes everything.
   * @throws UNAVAILABLE where that takes too long, behind others or not
   */
  async take(): Promise<Contents> {
    const { channel, queue, publisher, clock } = this.#deps
    onGone(channel, () => this.#fence.reject(fail('UNAVAILABLE', 'the connection was lost')))
    await channel.basicQos({ prefetchCount: takenMax })
    await channel.basicConsume({ queue }, (message) => {
      const received = message as Received
      if (fenceIn(received) === this.#id) this.#fence.resolve(received.deliveryTag)
      else this.#taken.push(received)
    })
    const [sent] = await publisher.send([fence(queue, this.#id)])
    if (sent?.ok === false) throw sent.error
    await within(this.#deps, 'reading, perhaps behind others who read', this.#fence.promise)
    return sortContents(this.#taken, clock.nowMs())
  }

  /**
   * Takes messages out for good, and the fence. The server does not answer acknowledgements, and drops those that it has not
   * come to when the channel ends: so the fence is given back behind them, and has to come again.
   */
  async takeOut(deliveryTags: readonly number[]): Promise<void> {
    const { channel, queue } = this.#deps
    for (const deliveryTag of deliveryTags) channel.basicAck({ deliveryTag })
    if (deliveryTags.length > 0) {
      const deliveryTag = await this.#fence.promise
      this.#fence = awaited()
      channel.basicNack({ deliveryTag, requeue: true })
      await within(this.#deps, 'taking out what is gone', this.#fence.promise)
    }
    channel.basicAck({ deliveryTag: await this.#fence.promise })
    await channel.queueDeclare({ queue, passive: true })
  }
}

/** What the protocol lets stand unacknowledged. */
const takenMax = 65_535

/** Nobody may be waiting for it yet when it fails. */
function awaited(): PromiseWithResolvers<number> {
  const all = Promise.withResolvers<number>()
  all.promise.catch(() => {})
  return all
}
