import {
  type CommandContract,
  type DataIn,
  type Engine,
  type EventContract,
  type MaybePromise,
  type MessageContract,
  type OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import { isPromiseLike } from '../../pipeline/maybe-promise.ts'
import type { FilterStack } from '../../pipeline/stack.ts'
import type { Receipt } from '../consuming/context.ts'
import type { Standing } from '../standing.ts'
import { type Channels, checkContract, checkKind } from '../topology.ts'
import { InOrder } from './in-order.ts'
import type { Preparing } from './preparing/preparing.ts'
import {
  checkId,
  checkPublishAllOptions,
  checkScheduleOptions,
  type PublishAllOptions,
  type PublishOptions,
  type ScheduleOptions,
} from './publish-options.ts'
import { Publisher } from './publisher.ts'
import { plainEnvelope, type RecordComposer } from './record.ts'
import type { Recurring } from './recurring/recurring.ts'
import type { Requesting } from './requesting/requesting.ts'

/** How one of many messages went. */
export type PublishResult =
  | { readonly ok: true; readonly id: string }
  | { readonly ok: false; readonly error: PosthasteError }

/** How messages leave. */
export interface Publishing extends Preparing, Requesting, Recurring {
  /**
   * Publishes an event. Resolves when the engine has confirmed it, as durably as it can.
   *
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE CONFIG_INVALID CAPABILITY_UNSUPPORTED before anything leaves; what the engine
   *   refuses it with; FAILED_PRECONDITION before `start`; ENGINE_CLOSED after `close`
   */
  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /** Sends a command. Otherwise like {@link Publishing.publish}. */
  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /**
   * Publishes many. One that fails stops no other: there is a result for each, in order.
   * @throws CONTRACT_INVALID CONFIG_INVALID INVALID_ARGUMENT when what is wrong is wrong for all of them
   */
  publishAll<C extends MessageContract>(
    contract: C,
    data: readonly DataIn<C>[],
    options?: PublishAllOptions,
  ): Promise<readonly PublishResult[]>
  /** Publishes a message that is handled later. Otherwise like {@link Publishing.publish}. */
  schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt>
  /**
   * Takes a scheduled message back.
   * @returns whether it was still waiting
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot; CONTRACT_INVALID INVALID_ARGUMENT
   */
  cancel(contract: MessageContract, id: string): Promise<boolean>
}

/** What publishing is made of. */
export interface PublishingInit {
  readonly engine: Engine
  readonly channels: Channels
  readonly composer: RecordComposer
  readonly standing: Standing
  /** What stands around each publish. */
  readonly stack: FilterStack
}

/** The part of a bus that publishes. */
export class BusPublishing implements Omit<Publishing, keyof Preparing | keyof Requesting | keyof Recurring> {
  readonly #init: PublishingInit
  readonly #publisher: Publisher
  readonly #inOrder = new InOrder()
  readonly #send = (record: OutgoingRecord): Promise<Receipt> => this.#publisher.publish(record)

  constructor(init: PublishingInit) {
    this.#init = init
    this.#publisher = new Publisher(init.engine, init.stack)
  }

  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#publish(event, { data, options, kind: 'event' })
  }

  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#publish(command, { data, options, kind: 'command' })
  }

  async publishAll<C extends MessageContract>(
    contract: C,
    data: readonly DataIn<C>[],
    options?: PublishAllOptions,
  ): Promise<readonly PublishResult[]> {
    this.#init.standing.checkUsable()
    // Mistakes of the options are those of every message: told once.
    if (options !== undefined) checkPublishAllOptions(options)
    checkContract(contract)
    if (!Array.isArray(data))
      throw new PosthasteError('INVALID_ARGUMENT', `${contract.type}: publishAll takes an array`)
    const kind = contract.kind
    const receipts = data.map((one) => this.#publish(contract, { data: one, options, kind }).then(accepted, refused))
    return Promise.all(receipts)
  }

  async schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt> {
    checkContract(contract)
    checkScheduleOptions(options)
    return this.#publish(contract, { data, options, kind: contract.kind })
  }

  async cancel(contract: MessageContract, id: string): Promise<boolean> {
    const { standing, channels, engine } = this.#init
    standing.checkUsable()
    checkContract(contract)
    checkId(id)
    const { scheduling, name } = engine
    if (scheduling === undefined) {
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${name} cannot take back what is scheduled`)
    }
    await channels.admit(contract)
    return scheduling.cancel(contract.type, id)
  }

  /** Resolves when everything handed to the engine so far is answered. */
  flushed(): Promise<void> {
    return this.#publisher.flushed()
  }

  /** Hot path: for a known contract with a synchronous schema, straight from the data into the publisher's batch. */
  #publish(contract: MessageContract, message: Outgoing): Promise<Receipt> {
    const { standing, channels } = this.#init
    try {
      standing.checkUsable()
      checkKind(contract, message.kind, message.kind === 'event' ? 'publish' : 'send')
      const admitted = channels.admit(contract)
      if (!isPromiseLike(admitted)) return this.leave(contract, this.#compose(contract, message))
      const record = admitted.then(() => {
        standing.checkUsable()
        return this.#compose(contract, message)
      })
      return this.leave(contract, record)
    } catch (thrown) {
      return Promise.reject(thrown)
    }
  }

  #compose(contract: MessageContract, { data, options }: Outgoing): MaybePromise<OutgoingRecord> {
    const envelope = options === undefined ? plainEnvelope : { options, origin: undefined }
    return this.#init.composer.compose(contract, data, envelope)
  }

  /**
   * Hands a record on. What has a key leaves in the order of the calls, however long its channel, a schema or a store of
   * bodies takes.
   */
  leave(contract: MessageContract, record: MaybePromise<OutgoingRecord>): Promise<Receipt> {
    if (contract.key !== undefined) return this.#inOrder.pass(contract.type, record, this.#send)
    return isPromiseLike(record) ? Promise.resolve(record).then(this.#send) : this.#publisher.publish(record)
  }
}

/** One message on its way out. */
interface Outgoing {
  readonly data: unknown
  readonly options: PublishOptions | undefined
  readonly kind: MessageContract['kind']
}

const accepted = ({ id }: Receipt): PublishResult => ({ ok: true, id })

const refused = (thrown: unknown): PublishResult => {
  return { ok: false, error: PosthasteError.from(thrown, 'INTERNAL', 'the message was not published') }
}
