import type { Delivery } from '@posthaste/contracts'
import type { Target } from './catalogue.ts'
import { addressed, type Outbound } from './lane.ts'
import { bufferOf, type Decoded, decode, encode, type Received, takenBack } from './record-codec.ts'

/** A message that this member has and has not settled. */
export interface Held {
  /** The server's, of the channel that it came over. */
  readonly deliveryTag: number
  readonly decoded: Decoded
  /** As `Delivery.attempt`. */
  readonly attempt: number
  /** As `Delivery.vanished`. */
  readonly vanished: number
}

/** What came over the wire. */
export function heldOf(message: Received, channel: string): Held {
  const decoded = decode(message, channel)
  const lost = takenBack(message)
  const attempt = decoded.attempts + lost + 1
  return { deliveryTag: message.deliveryTag, decoded, attempt, vanished: decoded.vanished + lost }
}

/** As the core sees it. */
export function deliveryOf(tag: number, { decoded, attempt, vanished }: Held, range?: string): Delivery {
  const { record, storedAtMs, position } = decoded
  return range === undefined
    ? { tag, record, attempt, storedAtMs, position, vanished }
    : { tag, record, attempt, storedAtMs, position, range }
}

/** How a message goes back to its queue. */
export interface Return {
  readonly target: Target
  readonly countsAttempt: boolean
  readonly visibleAtMs?: number | undefined
}

/**
 * A copy that takes the place of a message. A rejected message would be counted by the server like one whose member
 * vanished, which is what the server's counter is kept for.
 */
export function copyOf({ decoded, attempt, vanished }: Held, { target, countsAttempt, visibleAtMs }: Return): Outbound {
  const attempts = countsAttempt ? attempt : attempt - 1
  const envelope = encode(decoded.record, decoded.position, { attempts, vanished, visibleAtMs })
  return { envelope: addressed(envelope, target), body: bufferOf(decoded.record.body) }
}
