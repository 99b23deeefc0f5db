import type { CommandContract, DataOut, Engine, EventContract, MessageContract } from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import type { Bodies } from '../bodies/bodies.ts'
import type { BusSubscribing } from '../consuming/subscribing.ts'
import { deadLetterChannel } from '../dead-letters/dead-letter.ts'
import { type DeadLetters, deadLettersOf } from '../dead-letters/dead-letters.ts'
import type { Standing } from '../standing.ts'
import { checkContract } from '../topology.ts'
import { type BrowseOptions, browseMessages, type MessagePage } from './browsing.ts'
import { type GroupControl, groupControl, Turns } from './group-control.ts'
import { type DeadLettersOf, readDeadLettersOf, readGroupOf } from './naming.ts'

/** Looking into what stands in the engine, and setting it right. */
export interface Administration {
  /**
   * A page of a contract's messages, oldest first: those that are kept, whether or not anybody has handled them, and not
   * those whose time has not come. Disturbs nobody, and declares nothing: where nobody has, there are none.
   *
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot look into channels; CONFIG_INVALID CONTRACT_INVALID;
   *   FAILED_PRECONDITION before `start`; ENGINE_CLOSED after `close`
   */
  browse<C extends MessageContract>(contract: C, options?: BrowseOptions): Promise<MessagePage<DataOut<C>>>
  /**
   * A group, to be looked after: how far it is behind, moving it, pausing it.
   * @throws CONFIG_INVALID when an event's group is not named, or is no name of a group; CONTRACT_INVALID
   */
  group(contract: EventContract, of: { readonly group: string }): GroupControl
  /** The group of a command, which has one: it need not be named. */
  group(contract: CommandContract, of?: { readonly group: string }): GroupControl
  /**
   * What a group could not handle. The group need not have a handler here; one that nobody has ever consumed as has no
   * dead letters, and looking for them leaves nothing behind.
   * @throws CONFIG_INVALID when an event's group is not named, or is no name of a group; CONTRACT_INVALID
   */
  deadLetters(contract: EventContract, of: DeadLettersOf): DeadLetters
  /** What could not be handled of a command, which has one group: it need not be named. */
  deadLetters(contract: CommandContract, of?: Partial<DeadLettersOf>): DeadLetters
}

/** What administration is made of. */
export interface AdministrationInit {
  readonly engine: Engine
  readonly bodies: Bodies
  readonly standing: Standing
  readonly subscribing: BusSubscribing
  readonly deps: FilterDeps
}

/** The administrative part of a bus. */
export class BusAdministration implements Administration {
  readonly #init: AdministrationInit
  readonly #turns = new Turns()
  readonly #closing = new AbortController()

  constructor(init: AdministrationInit) {
    this.#init = init
  }

  /** Ends what goes on and on: redrives. */
  close(): void {
    this.#closing.abort()
  }

  async browse<C extends MessageContract>(contract: C, options: BrowseOptions = {}): Promise<MessagePage<DataOut<C>>> {
    const { engine, standing, bodies } = this.#init
    checkContract(contract)
    standing.checkUsable()
    return browseMessages(contract, options, { engine, read: bodies.reader(contract.type, contract) })
  }

  group(contract: MessageContract, of?: { readonly group: string }): GroupControl {
    checkContract(contract)
    const group = readGroupOf(contract, of)
    const { engine, subscribing, standing } = this.#init
    return groupControl({
      contract,
      group,
      engine,
      subscription: () => subscribing.find(contract, group),
      checkUsable: () => standing.checkUsable(),
      turns: this.#turns,
      deadLetters: this.#deadLetters(contract, { group }),
    })
  }

  deadLetters(contract: MessageContract, of?: Partial<DeadLettersOf>): DeadLetters {
    checkContract(contract)
    return this.#deadLetters(contract, readDeadLettersOf(contract, of))
  }

  #deadLetters(contract: MessageContract, { group, target }: DeadLettersOf): DeadLetters {
    const { engine, standing, deps } = this.#init
    const { name: channel } = deadLetterChannel(contract.type, group, target)
    const checkUsable = (): void => standing.checkUsable()
    return deadLettersOf({ ...deps, contract, group, channel, engine, checkUsable, closing: this.#closing.signal })
  }
}
