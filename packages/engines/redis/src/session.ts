import { type EngineHost, PosthasteError, type Timer } from '@posthaste/contracts'
import type { Connection } from './connection.ts'
import type { Link } from './link.ts'
import { gone } from './presence.ts'
import { Packer, type Unpacker } from './wire.ts'

/** Calls an operation of the script, on whatever link. */
export type Run = (operation: string, packed: Buffer) => Promise<Unpacker>

/** What a session needs from its engine. */
export interface SessionNeeds {
  readonly connection: Connection
  readonly host: EngineHost
  readonly sessionMs: number
  readonly reconnectMs: number
  /** Its time is over, or others have ended it: what its members had in hand is somebody else's. */
  lost(reason: PosthasteError): void
  /** Has the members join again, in a session that has just begun. */
  rejoin(run: Run): Promise<void>
}

/** The server's answer when nothing is due. */
const nothingDue = -1

/**
 * The standing of this process at the server. It shows signs of life, ends the sessions of processes that do not, and has
 * what is due done: whoever comes first does it, for all. A process that is quiet and still connected is busy, and has
 * `sessionMs`; one that is quiet and whose connection is gone has `reconnectMs` from when that was seen.
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
  /** Since when there is no connection, on the monotonic clock. */
  #awaySinceMs: number | undefined
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
  async resume(run: Run, link: Link): Promise<void> {
    // Others would end it when its time is over; what it had in hand counts as theirs would.
    if (this.#givenUp !== '') await run('bye', this.#packer.array(2).text(this.#givenUp).yesOrNo(true).take())
    this.#givenUp = ''
    if (this.#id === '' || !(await this.#beat(run, link))) await this.#begin(run, link)
    this.#awaySinceMs = undefined
  }

  async #begin(run: Run, link: Link): Promise<void> {
    const id = `${crypto.randomUUID().slice(0, 13)}`
    const sentMs = this.#nowMs
    const packed = this.#packer.array(3).text(id).number(this.#needs.sessionMs).text(this.#connectionOf(link)).take()
    const reply = await run('begin', packed)
    this.#id = id
    this.#seenMs = sentMs
    this.#answered(reply, run, link)
    await this.#needs.rejoin(run)
  }

  /** @returns whether the session goes on */
  async #beat(run: Run, link: Link): Promise<boolean> {
    const sentMs = this.#nowMs
    const packed = this.#packer.array(4).text(this.#id).number(this.#needs.sessionMs).text(this.#connectionOf(link))
    const reply = await run('beat', packed.number(this.#beatEveryMs * 1.5).take())
    if (!reply.isNo()) {
      this.#seenMs = sentMs
      this.#answered(reply, run, link)
      return true
    }
    this.#end('its session was ended by others: it gave no sign of life in time')
    return false
  }

  /** What others look for, should this process be quiet. */
  #connectionOf({ id }: Link): string {
    return id === '' ? '' : `${id} ${this.#needs.reconnectMs}`
  }

  /** A sign of life was answered: with what is due, and with who else is quiet. */
  #answered(reply: Unpacker, run: Run, link: Link): void {
    reply.array()
    this.#arm(reply.number())
    const quiet = reply.value() as readonly string[]
    if (quiet.length > 0) void this.#lookAfter(quiet, run, link)
  }

  /** Tells the server whose connections it has no more. Where that cannot be found out, `sessionMs` decides. */
  async #lookAfter(quiet: readonly string[], run: Run, link: Link): Promise<void> {
    try {
      const found = await gone(quiet, link)
      if (found.length === 0) return
      const packed = this.#packer.array(1).array(found.length)
      for (const text of found) packed.text(text)
      await run('gone', packed.take())
    } catch (cause) {
      this.#needs.host.log.debug('redis did not tell who is connected', { cause })
    }
  }

  #end(why: string): void {
    this.#id = ''
    this.#needs.lost(new PosthasteError('DELIVERY_LOST', `redis: ${this.#needs.host.instance}: ${why}`))
  }

  // ── Signs of life ─────────────────────────────────────────────────────────────────────────────────────────────────

  get #beatEveryMs(): number {
    const { sessionMs, reconnectMs } = this.#needs
    return Math.min(sessionMs / 3, reconnectMs / 5)
  }

  /** Something will be due in so many milliseconds, at the server. */
  due(inMs: number): void {
    if (Number.isFinite(inMs)) this.#arm(inMs)
  }

  /** Sets the timer to whatever comes first: what is due, or the next sign of life. */
  #arm(inMs: number): void {
    if (this.#closed) return
    const beatInMs = this.#seenMs + this.#beatEveryMs - this.#nowMs
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
    const { link } = connection
    if (this.#beating || this.#closed || link === undefined || this.#id === '') return
    this.#beating = true
    // A server may be busy with something large.
    const deadlineMs = this.#nowMs + sessionMs / 2
    const run: Run = async (operation, packed) => (await connection.call(operation, packed, { deadlineMs })).reply
    try {
      if (!(await this.#beat(run, link))) await this.#begin(run, link)
    } catch (thrown) {
      const cause = PosthasteError.from(thrown, 'UNAVAILABLE', 'session')
      if (connection.isUp) host.log.warn('redis did not take the sign of life', { cause })
      // A server that refuses is asked again; a connection that is lost comes back with `resume`.
      if (this.#timer === undefined) this.#timer = host.clock.setTimer(this.#beatEveryMs, () => this.#ring())
    } finally {
      this.#beating = false
    }
  }

  /** The connection is lost: others take over when it does not come back in time, so members must let go by then. */
  disconnected(): void {
    this.#timer?.cancel()
    this.#timer = undefined
    if (this.#closed || this.#id === '') return
    this.#awaySinceMs ??= this.#nowMs
    const { sessionMs, reconnectMs } = this.#needs
    const endMs = Math.min(this.#seenMs + sessionMs, this.#awaySinceMs + reconnectMs)
    this.#expireAfter(Math.max(0, endMs - this.#nowMs) / 2, () =>
      // A process that was too busy to connect again has some time left for that.
      this.#expireAfter(Math.max(0, endMs - this.#nowMs, reconnectMs / 4), () => this.#expired()),
    )
  }

  #expireAfter(delayMs: number, then: () => void): void {
    this.#expiry?.cancel()
    this.#expiry = this.#needs.host.clock.setTimer(delayMs, then)
  }

  #expired(): void {
    this.#givenUp = this.#id
    if (this.#id !== '') this.#end('the connection was away for too long, others may have taken over')
  }

  /** The server answers again: it knows whether the session stands. */
  returning(): void {
    this.#expiry?.cancel()
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
