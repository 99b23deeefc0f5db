import type { Clock } from '@posthaste/contracts'
import type { Channel } from 'rabbitmq-client'
import { readControl } from './control-messages.ts'
import type { Link } from './link.ts'
import type { Received } from './record-codec.ts'

/** What counting notes needs. */
export interface NotedDeps {
  readonly link: Link
  readonly clock: Clock
}

/**
 * How many records are noted with key ranges that nobody reads, by their control queues. All that stands there is taken for
 * a moment and given back: whoever gets in line meanwhile waits for so long. What a member reads is not seen.
 */
export async function notedIn(
  { link, clock }: NotedDeps,
  channelName: string,
  controls: readonly string[],
): Promise<number> {
  const channel = await link.channel()
  try {
    let noted = 0
    for (const queue of controls) {
      const { messageCount, consumerCount } = await channel.queueDeclare({ queue, passive: true })
      if (messageCount > 0 && consumerCount === 0)
        noted += await count(link, clock, { queue, channelName, messageCount })
    }
    return noted
  } finally {
    await channel.close()
  }
}

interface Looked {
  readonly queue: string
  readonly channelName: string
  readonly messageCount: number
}

async function count(link: Link, clock: Clock, { queue, channelName, messageCount }: Looked): Promise<number> {
  // Its end gives back what came, in one step.
  const channel: Channel = await link.channel()
  const names = new Set<string>()
  const { promise, resolve } = Promise.withResolvers<void>()
  let seen = 0
  const timer = clock.setTimer(lookMs, resolve)
  try {
    await channel.basicQos({ prefetchCount: Math.min(messageCount, 65_535) })
    await channel.basicConsume({ queue }, (message) => {
      const read = readControl(message as Received, channelName)
      if (read?.kind === 'note' && read.name !== 'session') names.add(read.name)
      seen += 1
      if (seen >= messageCount) resolve()
    })
    await promise
    return names.size
  } finally {
    timer.cancel()
    await channel.close()
  }
}

/** Somebody else may have got in line just before: then nothing comes. */
const lookMs = 250
