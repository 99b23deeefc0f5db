import type { Catalogue } from './catalogue.ts'
import { readControl } from './control-messages.ts'
import type { Outbound } from './lane.ts'
import type { Received } from './record-codec.ts'

/** A channel or, where it has a group, a group of a log. */
export interface Entry {
  readonly channel: string
  readonly group?: string | undefined
}

/** Names an entry. */
export function keyOf({ channel, group }: Entry): string {
  return group === undefined ? channel : `${channel}@${group}`
}

/** The routing key that an entry is bound with. */
export function wordOf({ names }: Catalogue, { channel, group }: Entry): string {
  return group === undefined ? names.channelWord(channel) : names.queueWord(names.queue(channel, group))
}

/** Asks an exchange whether it knows an entry: it comes back where it does not. */
export function question(exchange: string, routingKey: string): Outbound {
  return { envelope: { exchange, routingKey, mandatory: true }, body: Buffer.alloc(0) }
}

/** An entry, on its way into the registry. */
export function entryMessage(queue: string, { channel, group }: Entry): Outbound {
  const envelope = { exchange: '', routingKey: queue, mandatory: true, durable: true, contentType: 'application/json' }
  return { envelope, body: Buffer.from(JSON.stringify({ channel, group })) }
}

/** What was found in the registry. */
export interface Contents {
  /** Each entry once, and the tag of its message. */
  readonly entries: ReadonlyMap<string, { readonly entry: Entry; readonly deliveryTag: number }>
  /** Further messages of entries that are there already, of processes that wrote them at the same time. */
  readonly repeated: readonly number[]
  /** Fences of those who looked, and ended before they could take them out. */
  readonly leftOver: readonly number[]
}

/** Sorts what stands in the registry; what somebody else has put there stays unseen. */
export function sortContents(messages: readonly Received[], nowMs: number): Contents {
  const entries = new Map<string, { readonly entry: Entry; readonly deliveryTag: number }>()
  const repeated: number[] = []
  const leftOver: number[] = []
  for (const message of messages) {
    const { deliveryTag } = message
    const fence = fenceIn(message)
    if (fence !== undefined) {
      if (Number.parseInt(fence, 10) + fenceMsMax < nowMs) leftOver.push(deliveryTag)
      continue
    }
    const entry = entryIn(message.body)
    if (entry === undefined) continue
    if (entries.has(keyOf(entry))) repeated.push(deliveryTag)
    else entries.set(keyOf(entry), { entry, deliveryTag })
  }
  return { entries, repeated, leftOver }
}

/** The id of a fence, which begins with the time at which it was sent. */
export function fenceIn(message: Received): string | undefined {
  const control = readControl(message, '')
  return control?.kind === 'fence' ? control.id : undefined
}

/** Longer than anybody waits for one, and longer than clocks differ. */
const fenceMsMax = 7_200_000

function entryIn(body: Buffer): Entry | undefined {
  try {
    const { channel, group } = JSON.parse(body.toString()) as { readonly channel?: unknown; readonly group?: unknown }
    if (typeof channel !== 'string' || !['string', 'undefined'].includes(typeof group)) return undefined
    return typeof group === 'string' ? { channel, group } : { channel }
  } catch {
    return undefined
  }
}
