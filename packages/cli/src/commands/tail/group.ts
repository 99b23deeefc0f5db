import { type Delivery, type DeliverySink, PosthasteError } from '@posthaste/contracts'
import type { EngineSurroundings } from '../../engine/engine-command.ts'
import type { Emit } from './emit.ts'

/** What is followed. */
export interface GroupFollow extends EngineSurroundings {
  readonly channel: string
  readonly from: 'next' | 'earliest'
  readonly emit: Emit
}

const credit = 500

/**
 * Follows a log as a group that goes with its one member.
 * @returns false where the channel cannot have one
 */
export async function followGroup(follow: GroupFollow): Promise<boolean> {
  const { engine, channel, from, instance, print } = follow
  try {
    const group = { channel, group: instance, from, lifetime: 'temporary' } as const
    await engine.declare({ channels: [], groups: [group] })
  } catch (error) {
    if (cannotHaveGroup(error)) return false
    throw error
  }
  await print.note(`following ${channel} as the group ${instance}, which goes with this command`)
  await member(follow)
  return true
}

/** A channel that cannot have a group of ours, as a queue; or there is none, which looking into it will tell. */
function cannotHaveGroup(error: unknown): boolean {
  return PosthasteError.is(error, 'CONFIG_INVALID') || PosthasteError.is(error, 'NOT_FOUND')
}

/** Shows what is delivered until it is enough, or the subscription ends by itself. */
async function member({ engine, channel, instance, emit, io }: GroupFollow): Promise<void> {
  const mail = new Mail(io.signal)
  const subscription = await engine.subscribe({ channel, group: instance, member: instance }, mail)
  try {
    subscription.grant(credit)
    for (;;) {
      const batch = await mail.next()
      if (batch === undefined) return
      for (const { position, storedAtMs, record } of batch) {
        if (io.signal.aborted || (await emit({ position, storedAtMs, record })) === 'enough') return
      }
      await subscription.settle(batch.map(({ tag }) => ({ kind: 'ack', tag })))
      subscription.grant(batch.length)
    }
  } finally {
    mail.end()
    await subscription.stop()
  }
}

/** Keeps what was delivered until somebody looks. */
class Mail implements DeliverySink {
  readonly #signal: AbortSignal
  readonly #ring = (): void => this.#bell?.()
  #waiting: Delivery[] = []
  #bell: (() => void) | undefined
  #closed: PosthasteError | undefined

  constructor(signal: AbortSignal) {
    this.#signal = signal
    signal.addEventListener('abort', this.#ring)
  }

  deliver(batch: readonly Delivery[]): void {
    this.#waiting.push(...batch)
    this.#ring()
  }

  closed(cause: PosthasteError): void {
    this.#closed = cause
    this.#ring()
  }

  lost(): void {
    // What was shown was shown: it may come again.
  }

  /** @returns nothing once the user has enough @throws why the subscription ended */
  async next(): Promise<readonly Delivery[] | undefined> {
    while (!this.#signal.aborted) {
      if (this.#waiting.length > 0) {
        const batch = this.#waiting
        this.#waiting = []
        return batch
      }
      if (this.#closed !== undefined) throw this.#closed
      await new Promise<void>((resolve) => {
        this.#bell = resolve
      })
    }
    return undefined
  }

  end(): void {
    this.#signal.removeEventListener('abort', this.#ring)
  }
}
