import type {
  Call,
  Cancellation,
  Clock,
  CommandContract,
  DataIn,
  EventContract,
  Headers,
  MessageContract,
} from '@posthaste/contracts'
import type { Receipt } from '../bus/consuming/context.ts'
import type { PublishOptions, ScheduleOptions } from '../bus/publishing/publish-options.ts'
import { RequestContext, type ServeContext } from '../rpc/context.ts'

/**
 * What the handler of a method knows beside the input, and what it may do.
 *
 * What is published here leaves at once, whatever becomes of the call: no message is being settled that it could leave
 * with. It carries the request's id as correlation id.
 */
export interface CallContext extends ServeContext {
  /**
   * Publishes an event. Resolves when the engine has it durably.
   * @throws PAYLOAD_INVALID BODY_TOO_LARGE CONFIG_INVALID, or what the engine refuses it with
   */
  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /** The same for a command. */
  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt>
  /** The same for a message of either kind that is to be handled later. */
  schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt>
}

/** What publishing from a call goes through. */
export type CallPublishing = Pick<CallContext, 'publish' | 'send' | 'schedule'>

/** Hot path: two small objects per call; looked at through getters, so that nothing is made in vain. */
export class AppCallContext implements CallContext {
  readonly #request: RequestContext
  readonly #publishing: CallPublishing

  constructor(call: Call, clock: Clock, publishing: CallPublishing) {
    this.#request = new RequestContext(call, clock)
    this.#publishing = publishing
  }

  get id(): string {
    return this.#request.id
  }

  get target(): string {
    return this.#request.target
  }

  get headers(): Headers {
    return this.#request.headers
  }

  get deadlineAtMs(): number {
    return this.#request.deadlineAtMs
  }

  get cancellation(): Cancellation {
    return this.#request.cancellation
  }

  get signal(): AbortSignal {
    return this.#request.signal
  }

  remainingMs(): number {
    return this.#request.remainingMs()
  }

  publish<C extends EventContract>(event: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#publishing.publish(event, data, { correlationId: this.id, ...options })
  }

  send<C extends CommandContract>(command: C, data: DataIn<C>, options?: PublishOptions): Promise<Receipt> {
    return this.#publishing.send(command, data, { correlationId: this.id, ...options })
  }

  schedule<C extends MessageContract>(contract: C, data: DataIn<C>, options: ScheduleOptions): Promise<Receipt> {
    return this.#publishing.schedule(contract, data, { correlationId: this.id, ...options })
  }
}
