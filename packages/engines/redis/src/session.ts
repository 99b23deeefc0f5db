import { type EngineHost, PosthasteError, type Timer } from '@posthaste/contracts'
import type { Connection } from './connection.ts'
import { Packer, type Unpacker } from './wire.ts'

/** Calls an operation of the script, on whatever link. */
export type Run = (operation: string, packed: Buffer) => Promise<Unpacker>

/** What a session needs from its engine. */
export interface SessionNeeds {
  readonly connection: Connection
  readonly host: EngineHost
  readonly sessionMs: number
  /** Its time is over, or others have ended it: what its members had in hand is somebody else's. */
  lost(reason: PosthasteError): void
  /** Has the members join again, in a session that has just begun. */
  rejoin(run: Run): Promise<void>
}

/** The server's answer when nothing is due. */
const nothingDue = -1

/**
 * The standing of this process at the server. It shows signs of life, ends the sessions of processes that do not, and has
 * what is due done: whoever comes first does it, for all.
 */
export class Session {
  readonly #needs: SessionNeeds
  readonly #packer = new Packer()
  #id = ''
  /** One that was given up here, and that the server may still know. */
  #givenUp = ''
  /** When the last sign of life that was answered was sent, on the monotonic clock. */
  #seenMs = Number.NEGATIVE_INFINITY
  #timer: Timer | undefined
  #timerAtMs = Number.POSITIVE_INFINITY
  #expiry: Timer | undefined
  #beating = false
  #closed = false

  constructor(needs: SessionNeeds) {
    this.#needs = needs
  }

  /** Empty while there is none. */
  get id(): string {
    return this.#id
  }

  get #nowMs(): number {
    return this.#needs.host.clock.monotonicMs()
  }

  // ── Beginning ─────────────────────────────────────────────────────────────────────────────────────────────────────

  /** There is a link: goes on with the session, or begins another. */
  async resume(run: Run): Promise<void> {
    this.#expiry?.cancel()
    // Others would end it when its time is over; what it had in hand counts as theirs would.
    if (this.#givenUp !== '') await run('bye', this.#packer.array(2).text(this.#givenUp).yesOrNo(true).take())
    this.#givenUp = ''
    if (this.#id === '') return this.#begin(run)
    if (await this.#beat(run)) return
    await this.#begin(run)
  }

  async #begin(run: Run): Promise<void> {
    const id = `${crypto.randomUUID().slice(0, 13)}`
    const sentMs = this.#nowMs
    const reply = await run('begin', this.#packer.array(2).text(id).number(this.#needs.sessionMs).take())
    this.#id = id
    this.#seenMs = sentMs
    this.#arm(reply.number())
    await this.#needs.rejoin(run)
  }

  /** @returns whether the session goes on */
  async #beat(run: Run): Promise<boolean> {
    const sentMs = this.#nowMs
    const reply = await run('beat', this.#packer.array(2).text(this.#id).number(this.#needs.sessionMs).take())
    if (!reply.isNo()) {
      this.#seenMs = sentMs
      this.#arm(reply.number())
      return true
    }
    this.#end('its session was ended by others: it gave no sign of life in time')
    return false
  }

  #end(why: string): void {
    this.#id = ''
    this.#needs.lost(new PosthasteError('DELIVERY_LOST', `redis: ${this.#needs.host.instance}: ${why}`))
  }

  // ── Signs of life ─────────────────────────────────────────────────────────────────────────────────────────────────

  /** Something will be due in so many milliseconds, at the server. */
  due(inMs: number): void {
    if (Number.isFinite(inMs)) this.#arm(inMs)
  }

  /** Sets the timer to whatever comes first: what is due, or the next sign of life. */
  #arm(inMs: number): void {
    if (this.#closed) return
    const beatInMs = this.#seenMs + this.#needs.sessionMs / 3 - this.#nowMs
    const delayMs = Math.max(0, inMs === nothingDue ? beatInMs : Math.min(inMs, beatInMs))
    const atMs = this.#nowMs + delayMs
    if (this.#timer !== undefined && this.#timerAtMs <= atMs) return
    this.#timer?.cancel()
    this.#timerAtMs = atMs
    this.#timer = this.#needs.host.clock.setTimer(delayMs, () => this.#ring())
  }

  #ring(): void {
    this.#timer = undefined
    void this.check()
  }

  /** Shows a sign of life now, and does what is due. */
  async check(): Promise<void> {
    const { connection, host, sessionMs } = this.#needs
    if (this.#beating || this.#closed || !connection.isUp || this.#id === '') return
    this.#beating = true
    // Asked again after a third of the session, and given the rest of it: a server may be busy with something large.
    const deadlineMs = this.#nowMs + (sessionMs * 2) / 3
    const run: Run = async (operation, packed) => (await connection.call(operation, packed, { deadlineMs })).reply
    try {
      if (!(await this.#beat(run))) await this.#begin(run)
    } catch (thrown) {
      const cause = PosthasteError.from(thrown, 'UNAVAILABLE', 'session')
      if (connection.isUp) host.log.warn('redis did not take the sign of life', { cause })
      // A server that refuses is asked again; a connection that is lost comes back with `resume`.
      if (this.#timer === undefined) this.#timer = host.clock.setTimer(sessionMs / 10, () => this.#ring())
    } finally {
      this.#beating = false
    }
  }

  /** The connection is lost: without a sign of life in time others take over, so members must let go by then. */
  disconnected(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#closed || this.#id === '') return
    const leftMs = Math.max(0, this.#seenMs + this.#needs.sessionMs - this.#nowMs)
    this.#expiry = this.#needs.host.clock.setTimer(leftMs, () => {
      this.#givenUp = this.#id
      if (this.#id !== '') this.#end('the connection was away for too long, others may have taken over')
    })
  }

  /** Ends it in order: members leave, and what they had in hand counts no attempt. */
  async close(run: Run | undefined): Promise<void> {
    this.#closed = true
    this.#timer?.cancel()
    this.#expiry?.cancel()
    const id = this.#id
    this.#id = ''
    if (id !== '' && run !== undefined) await run('bye', this.#packer.array(2).text(id).yesOrNo(false).take())
  }
}
