import {
  type DataIn,
  type DataOut,
  type Engine,
  type Preparing as EnginePreparing,
  type MaybePromise,
  type MessageContract,
  PosthasteError,
  type PreparedRecord,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../../pipeline/stack.ts'
import type { Bodies } from '../../bodies/bodies.ts'
import type { Standing } from '../../standing.ts'
import { type Channels, checkContract } from '../../topology.ts'
import { checkId } from '../publish-options.ts'
import type { RecordComposer } from '../record.ts'
import { CheckBack, type Resolution, type UnresolvedMessage } from './check-back.ts'
import { confirmed, decide, type Preparation, preparation } from './decisions.ts'
import {
  checkLimit,
  type PrepareOptions,
  readPrepareOptions,
  readUnresolvedOptions,
  type UnresolvedOptions,
} from './options.ts'

/**
 * Messages in two steps: prepared, durable and seen by nobody; then, when the work they tell of is done or undone,
 * committed or rolled back. Whoever dies in between is asked back through {@link Preparing.onUnresolved}, in any process of
 * the application.
 */
export interface Preparing {
  /**
   * Keeps a message until it is decided about. Resolves when the engine has it as durably as it can.
   *
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE CONFIG_INVALID; CONFLICT when one is prepared under the id already;
   *   CAPABILITY_UNSUPPORTED where the engine cannot; what it refuses it with
   */
  prepare<C extends MessageContract>(contract: C, data: DataIn<C>, options?: PrepareOptions): Promise<Preparation>
  /**
   * Answers for what was prepared and not decided in time. Asked at the start, too, also about what earlier processes have
   * left; never twice at a time about one message by one process, but for an answer that outlives its `timeoutMs`. What it
   * throws counts as `unknown`: asked again later.
   *
   * @throws CONFIG_INVALID CONTRACT_INVALID; CONTRACT_DUPLICATE when it is answered for here already;
   *   CAPABILITY_UNSUPPORTED where the engine cannot, by `start`, or here after it
   */
  onUnresolved<C extends MessageContract>(contract: C, options: UnresolvedOptions, ask: UnresolvedHandler<C>): void
  /** What is prepared and not decided, for people. */
  prepared<C extends MessageContract>(contract: C): PreparedMessages<C>
}

/** Says what became of the work that a message was prepared for. */
export type UnresolvedHandler<C extends MessageContract> = (
  message: UnresolvedMessage<DataOut<C>>,
) => MaybePromise<Resolution>

/** What is prepared and not decided in one channel. */
export interface PreparedMessages<C extends MessageContract = MessageContract> {
  /**
   * Those to be asked about first at the front, those that nobody is asked about any more at the end.
   * @param query.limit 1 to 10,000. Default: 100
   * @throws INVALID_ARGUMENT CAPABILITY_UNSUPPORTED
   */
  list(query?: { readonly limit?: number | undefined }): Promise<readonly PreparedMessage<DataOut<C>>[]>
  /**
   * Publishes one, whoever has prepared it.
   * @throws NOT_FOUND when it is decided already, or never was; INVALID_ARGUMENT CAPABILITY_UNSUPPORTED
   */
  commit(id: string): Promise<void>
  /** Forgets one. Otherwise like {@link PreparedMessages.commit}. */
  rollback(id: string): Promise<void>
}

/** One message that waits for a decision. */
export interface PreparedMessage<Data = unknown> extends Omit<UnresolvedMessage<Data>, 'data'> {
  /** Undefined where it cannot be read. */
  readonly data: Data | undefined
  /** Why it cannot be read. */
  readonly error?: PosthasteError | undefined
  /** When somebody is asked, milliseconds since the epoch; `Infinity` where nobody is any more. */
  readonly checkAtMs: number
}

/** What preparing is made of. */
export interface PreparingInit {
  readonly engine: Engine
  readonly channels: Channels
  readonly composer: RecordComposer
  readonly bodies: Bodies
  readonly standing: Standing
  readonly deps: FilterDeps
}

/** The part of a bus that prepares messages. */
export class BusPreparing implements Preparing {
  readonly #init: PreparingInit
  readonly #answered = new Map<string, { readonly contract: MessageContract; readonly start: () => CheckBack }>()
  readonly #checkBacks = new Map<string, CheckBack>()

  constructor(init: PreparingInit) {
    this.#init = init
  }

  async prepare<C extends MessageContract>(
    contract: C,
    data: DataIn<C>,
    options?: PrepareOptions,
  ): Promise<Preparation> {
    const { standing, channels, composer, deps } = this.#init
    standing.checkUsable()
    checkContract(contract)
    const { checkAfterMs, publish } = readPrepareOptions(options)
    const preparing = this.#preparing()
    await channels.admit(contract)
    const record = await composer.compose(contract, data, { options: publish, origin: undefined })
    const checkAtMs = deps.clock.nowMs() + checkAfterMs
    confirmed(await preparing.prepare(record, checkAtMs), record)
    this.#checkBacks.get(contract.type)?.expect(checkAtMs)
    return preparation(preparing, { channel: contract.type, id: record.id })
  }

  onUnresolved<C extends MessageContract>(contract: C, options: UnresolvedOptions, ask: UnresolvedHandler<C>): void {
    const { standing, channels, bodies, deps } = this.#init
    checkContract(contract)
    const { type: channel } = contract
    const settings = readUnresolvedOptions(channel, options)
    if (typeof ask !== 'function')
      throw new PosthasteError('CONFIG_INVALID', `onUnresolved(${channel}) must be given a function`)
    standing.checkRegistering()
    channels.register(contract)
    if (this.#answered.has(channel))
      throw new PosthasteError('CONTRACT_DUPLICATE', `${channel} is answered for by onUnresolved already`)
    const read = bodies.reader(channel, contract)
    const erased = ask as (message: UnresolvedMessage) => MaybePromise<Resolution>
    const start = (): CheckBack =>
      new CheckBack({ ...deps, channel, preparing: this.#preparing(), read, ask: erased, settings })
    const hasBegun = standing.state !== 'created'
    if (hasBegun) this.#preparing()
    this.#answered.set(channel, { contract, start })
    if (hasBegun) this.#beginLater(contract)
  }

  prepared<C extends MessageContract>(contract: C): PreparedMessages<C> {
    const { standing, channels, bodies } = this.#init
    checkContract(contract)
    const channel = contract.type
    const read = bodies.reader(channel, contract)
    const usable = async (): Promise<EnginePreparing> => {
      standing.checkUsable()
      const preparing = this.#preparing()
      await channels.admit(contract)
      return preparing
    }
    const decideById = async (decision: 'commit' | 'rollback', id: string): Promise<void> => {
      checkId(id)
      await decide(await usable(), decision, { channel, id })
    }
    return {
      async list({ limit = 100 } = {}) {
        checkLimit(limit)
        const records = await (await usable()).prepared(channel, limit)
        return Promise.all(records.map((prepared) => shown<DataOut<C>>(prepared, read)))
      },
      commit: (id) => decideById('commit', id),
      rollback: (id) => decideById('rollback', id),
    }
  }

  /** @throws CAPABILITY_UNSUPPORTED before anything starts */
  check(): void {
    if (this.#answered.size > 0) this.#preparing()
  }

  /** Begins to ask back. */
  async start(): Promise<void> {
    await Promise.all([...this.#answered.values()].map(({ contract }) => this.#begin(contract)))
  }

  async close(graceMs: number): Promise<void> {
    await Promise.all([...this.#checkBacks.values()].map((checkBack) => checkBack.close(graceMs)))
  }

  async #begin(contract: MessageContract): Promise<void> {
    await this.#init.channels.admit(contract)
    const { type } = contract
    if (this.#checkBacks.has(type) || this.#init.standing.isEnding) return
    const checkBack = this.#answered.get(type)!.start()
    this.#checkBacks.set(type, checkBack)
    checkBack.start()
  }

  /** Registered while the bus runs: nobody waits for it, so what fails is tried again. */
  #beginLater(contract: MessageContract): void {
    this.#begin(contract).catch((error) => {
      const { deps, standing } = this.#init
      if (standing.isEnding) return
      deps.log.error('what is prepared is not asked about yet; trying again', { channel: contract.type, error })
      deps.timers.set(beginAgainMs, () => this.#beginLater(contract))
    })
  }

  #preparing(): EnginePreparing {
    const { preparing, name } = this.#init.engine
    if (preparing !== undefined) return preparing
    throw new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${name} keeps no prepared messages`)
  }
}

const beginAgainMs = 10_000

async function shown<Data>(prepared: PreparedRecord, read: (record: PreparedRecord['record']) => unknown) {
  const { record, checks, preparedAtMs, checkAtMs } = prepared
  const place = { id: record.id, key: record.key, checks, preparedAtMs, checkAtMs }
  try {
    return { ...place, data: (await read(record)) as Data }
  } catch (thrown) {
    return { ...place, data: undefined, error: PosthasteError.from(thrown, 'BODY_MALFORMED', 'it cannot be read') }
  }
}
