import type { Clock, CommandContract, Engine, EventContract, MessageContract } from '@posthaste/contracts'
import { readDeadLetterGroup } from './consuming/options.ts'
import type { BusSubscribing } from './consuming/subscribing.ts'
import { deadLetterChannel } from './dead-letters/dead-letter.ts'
import { type DeadLetters, deadLettersOf } from './dead-letters/dead-letters.ts'
import type { Standing } from './standing.ts'
import { type Channels, checkContract } from './topology.ts'

/** Looking into what stands in the engine, and setting it right. */
export interface Administration {
  /**
   * What a group could not handle. The group need not have a handler here; one that nobody has ever consumed as has no
   * dead letters, and looking for them leaves nothing behind.
   * @throws CONFIG_INVALID when an event's group is not named, or is no name of a group; CONTRACT_INVALID
   */
  deadLetters(contract: EventContract, of: { readonly group: string }): DeadLetters
  /** What could not be handled of a command, which has one group: it need not be named. */
  deadLetters(contract: CommandContract, of?: { readonly group: string }): DeadLetters
}

/** What administration is made of. */
export interface AdministrationInit {
  readonly engine: Engine
  readonly channels: Channels
  readonly clock: Clock
  readonly standing: Standing
  readonly subscribing: BusSubscribing
}

/** The administrative part of a bus. */
export class BusAdministration implements Administration {
  readonly #init: AdministrationInit

  constructor(init: AdministrationInit) {
    this.#init = init
  }

  deadLetters(contract: MessageContract, of?: { readonly group: string }): DeadLetters {
    checkContract(contract)
    const group = readDeadLetterGroup(contract, of)
    const channel = deadLetterChannel(contract.type, group)
    const { engine, clock, channels, subscribing } = this.#init
    // A mistyped group must not leave a channel behind, so only those of this bus are declared.
    const declared = async (): Promise<void> => {
      if (subscribing.find(contract, group) === undefined) return
      await channels.declare([contract], { channels: [channel], groups: [] })
    }
    return deadLettersOf({ contract, group, engine, declared, nowMs: () => clock.nowMs() })
  }
}
