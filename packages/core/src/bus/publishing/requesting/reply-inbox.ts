import {
  type Delivery,
  type DeliverySink,
  type Engine,
  type EngineSubscription,
  type Log,
  type MaybePromise,
  type OutgoingRecord,
  PosthasteError,
} from '@posthaste/contracts'
import type { ReplyPlace } from '../../replies.ts'
import type { Standing } from '../../standing.ts'
import type { Channels } from '../../topology.ts'

/** What an inbox is made of. */
export interface ReplyInboxInit {
  readonly engine: Engine
  readonly channels: Channels
  readonly standing: Standing
  readonly log: Log
  /** The group is this process's own. */
  readonly place: ReplyPlace
  /** Names this process. */
  readonly member: string
  /** A reply came in. Never throws. */
  readonly onReply: (record: OutgoingRecord) => void
  /** The membership ended by itself, and whatever was on its way to it is gone. Never throws. */
  readonly onLost: (cause: PosthasteError) => void
}

type State =
  | { readonly kind: 'idle' | 'closed' }
  | { readonly kind: 'joining'; readonly joined: Promise<void> }
  | { readonly kind: 'joined'; readonly member: EngineSubscription }

/** Replies are taken in as they come, so this bounds what one turn brings. */
const creditMax = 1_024

/**
 * Where the replies to the requests of this process come in: a temporary group of its own, joined with the first request,
 * in a channel that all processes of the application share, so that nothing is left behind when one goes. Replies are
 * acknowledged as they come; nobody else could use them.
 */
export class ReplyInbox {
  readonly #init: ReplyInboxInit
  #state: State = { kind: 'idle' }

  constructor(init: ReplyInboxInit) {
    this.#init = init
  }

  /**
   * Makes sure that replies come in. Hot path: at once where they do already.
   * @throws CAPABILITY_UNSUPPORTED where the engine has no temporary groups, or cannot address one; ENGINE_CLOSED after
   *   {@link ReplyInbox.close}; what the engine fails with
   */
  join(): MaybePromise<void> {
    const state = this.#state
    if (state.kind === 'joined') return undefined
    if (state.kind === 'joining') return state.joined
    if (state.kind === 'closed') throw new PosthasteError('ENGINE_CLOSED', 'the bus closes: no reply would come in')
    const { capabilities, name } = this.#init.engine
    if (capabilities.temporaryGroups === 'none' || capabilities.groupAddress === 'none') throw unsupported(name)
    const joined = this.#join()
    this.#state = { kind: 'joining', joined }
    return joined
  }

  async close(): Promise<void> {
    const state = this.#state
    this.#state = { kind: 'closed' }
    if (state.kind === 'joined') await this.#leave(state.member)
    // One that is joining leaves again by itself.
    if (state.kind === 'joining') await state.joined.catch(() => {})
  }

  async #join(): Promise<void> {
    const { engine, channels, place, member: name } = this.#init
    const sink = new InboxSink(this.#init, (cause) => this.#lost(cause))
    try {
      await channels.declare([], {
        channels: [{ name: place.channel, kind: 'log', keyed: false }],
        groups: [{ ...place, from: 'next', lifetime: 'temporary' }],
      })
      const member = await engine.subscribe({ ...place, member: name }, sink)
      // Closed meanwhile.
      if (this.#state.kind !== 'joining') return this.#leave(member)
      if (sink.closedBy !== undefined) throw sink.closedBy
      this.#state = { kind: 'joined', member }
      sink.begin(member, Math.min(creditMax, engine.capabilities.unsettledMax))
    } catch (thrown) {
      if (this.#state.kind === 'joining') this.#state = { kind: 'idle' }
      throw thrown
    }
  }

  /** The next request joins again. */
  #lost(cause: PosthasteError): void {
    if (this.#state.kind !== 'joined') return
    this.#state = { kind: 'idle' }
    this.#init.onLost(cause)
  }

  async #leave(member: EngineSubscription): Promise<void> {
    try {
      await member.stop()
    } catch (error) {
      this.#init.log.warn('the engine did not let go of the replies', { ...this.#init.place, error })
    }
  }
}

/** One membership. */
class InboxSink implements DeliverySink {
  readonly #init: ReplyInboxInit
  readonly #onClosed: (cause: PosthasteError) => void
  #member: EngineSubscription | undefined = undefined
  /** The engine may end a membership before it has handed it out. */
  closedBy: PosthasteError | undefined = undefined

  constructor(init: ReplyInboxInit, onClosed: (cause: PosthasteError) => void) {
    this.#init = init
    this.#onClosed = onClosed
  }

  begin(member: EngineSubscription, credit: number): void {
    this.#member = member
    member.grant(credit)
  }

  deliver(batch: readonly Delivery[]): void {
    for (const { record } of batch) this.#init.onReply(record)
    void this.#acknowledge(batch)
  }

  /** What is lost has been taken in already, and comes again as a reply that nobody awaits. */
  lost(): void {}

  closed(cause: PosthasteError): void {
    this.closedBy = cause
    this.#onClosed(cause)
  }

  async #acknowledge(batch: readonly Delivery[]): Promise<void> {
    const { place, log } = this.#init
    const member = this.#member
    if (member === undefined) return
    try {
      const outcomes = await member.settle(batch.map(({ tag }) => ({ kind: 'ack', tag })))
      const failed = outcomes.find((outcome) => !outcome.ok)
      if (failed?.ok === false) log.debug('a reply was not acknowledged', { ...place, error: failed.error })
    } catch (error) {
      log.debug('replies were not acknowledged', { ...place, error })
    }
    if (this.closedBy === undefined) member.grant(batch.length)
  }
}

function unsupported(engine: string): PosthasteError {
  const message = `request needs temporaryGroups and groupAddress for its replies, and the engine ${engine} lacks one`
  return new PosthasteError('CAPABILITY_UNSUPPORTED', message)
}
