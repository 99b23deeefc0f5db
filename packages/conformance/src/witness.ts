import type { Delivery } from '@posthaste/contracts'

/** A delivery as a member of the suite saw it. */
export interface Received extends Delivery {
  /** The member that got it. */
  readonly member: string
  /** When, by the host's clock. */
  readonly receivedAtMs: number
  /** Its place among all deliveries of the case, over all members. */
  readonly order: number
}

/** One group, as the suite sees it. */
export interface Scope {
  readonly channel: string
  readonly group: string
  /** Whether keys keep order there. */
  readonly keyed: boolean
}

/**
 * Sees every delivery and its end, and holds them against what is true in every case, whatever that tests: a record is
 * with one member of a group at a time, and so is a key. What is wrong is collected, and fails the case.
 */
export class Witness {
  readonly violations: string[] = []
  /** By group, then by position. */
  readonly #inFlight = new Map<string, Map<string, Received>>()
  #order = 0

  accuse(violation: string): void {
    this.violations.push(violation)
  }

  nextOrder(): number {
    this.#order += 1
    return this.#order
  }

  delivered(scope: Scope, received: Received): void {
    const { record, member, position } = received
    const inFlight = this.#inFlightOf(scope)
    const other = inFlight.get(position)
    if (other !== undefined) this.accuse(`${record.id} was given to ${member} while ${other.member} had it`)
    if (scope.keyed && record.key !== undefined) {
      for (const rival of inFlight.values()) {
        if (rival.record.key !== record.key || rival.member === member) continue
        this.accuse(`${record.id} of key ${record.key} was given to ${member} while ${rival.member} had the key`)
      }
    }
    inFlight.set(position, received)
  }

  /** A delivery is no longer with its member. Told before the engine may give the record to somebody else. */
  ended(scope: Scope, received: Received): void {
    const inFlight = this.#inFlightOf(scope)
    if (inFlight.get(received.position) === received) inFlight.delete(received.position)
  }

  /** A settlement failed: the delivery is still with its member. */
  resumed(scope: Scope, received: Received): void {
    this.#inFlightOf(scope).set(received.position, received)
  }

  #inFlightOf({ channel, group }: Scope): Map<string, Received> {
    const scope = `${channel}@${group}`
    const known = this.#inFlight.get(scope)
    if (known !== undefined) return known
    const inFlight = new Map<string, Received>()
    this.#inFlight.set(scope, inFlight)
    return inFlight
  }
}
