import type { Timer } from '@posthaste/contracts'
import { Bucket, type Entry } from './bucket.ts'
import { serverLeaseMs } from './configs.ts'
import { errorFrom } from './errors.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import type { Between } from './time.ts'

/** Told what becomes of this process's membership. */
export interface SessionListener {
  /** Some key of the bucket has changed. */
  onChange(key: string): void
  /** It is not certain any more that this process is taken for alive: what it owns may be somebody else's. */
  onLapsed(): void
  /** It is certain again; `isNew` when what it had is gone. */
  onRenewed(isNew: boolean): void
}

/** How keys of members begin, which say in which session they are. */
export const memberStart = 'm.'

/** What is written about a session: how long it may be silent. */
interface Beat {
  readonly leaseMs: number
  readonly beat: number
}

/**
 * This process among those that share groups: a key that it renews while it lives. Who is not heard of for a lease may be
 * declared dead by anybody, by deleting that key; this process stops by its own clock before that can happen.
 */
export class Sessions {
  readonly bucket: Bucket
  /** Keys of the members that this process has. */
  readonly members = new Set<string>()
  /** The last sign of life that was confirmed: its place in the bucket, and between what moments it was stored. */
  lastBeat: (Between & { readonly revision: number }) | undefined
  readonly #link: Link
  readonly #listeners = new Set<SessionListener>()
  #id = ''
  #revision = 0
  #beats = 0
  #validUntilMs = Number.NEGATIVE_INFINITY
  #isValid = false
  /** Whether what the id before this one had is still to be told as gone. */
  #isNew = false
  #isBeating = false
  #timer: Timer | undefined
  #lapseTimer: Timer | undefined
  #opening: Promise<void> | undefined
  #closed = false
  readonly #unlisten: () => void

  constructor(link: Link, names: Names) {
    this.#link = link
    const onChange = (key: string): void => {
      if (key.startsWith(memberStart)) this.#forgetMember(key)
      for (const listener of [...this.#listeners]) listener.onChange(key)
    }
    this.bucket = new Bucket(link, names.members, { onChange })
    this.#unlisten = link.listen({ onLost: () => {}, onConnected: () => this.#hurry() })
  }

  /** A member that has left stands there again where a server that was killed has forgotten that it did. */
  #forgetMember(key: string): void {
    const { value, revision } = this.bucket.get(key)
    if (value === undefined || value !== this.#id || this.members.has(key)) return
    void this.bucket.write(key, undefined, revision).catch(() => {})
  }

  /** Begins to live, with the first who needs it. */
  open(): Promise<void> {
    this.#opening ??= this.#open().catch((thrown: unknown) => {
      this.#opening = undefined
      throw errorFrom(thrown, 'session')
    })
    return this.#opening
  }

  get id(): string {
    return this.#id
  }

  /** Whether nobody can have declared this process dead by now. */
  isValid(): boolean {
    return this.#isValid && this.#link.host.clock.monotonicMs() < this.#validUntilMs
  }

  listen(listener: SessionListener): () => void {
    this.#listeners.add(listener)
    return () => this.#listeners.delete(listener)
  }

  /** Whether a session is taken for alive. Does not ask the server. */
  isAlive(session: string): boolean {
    if (session === this.#id) return true
    const entry = this.bucket.get(sessionKey(session))
    return entry.value !== undefined && this.#silentMs(entry) < serverLeaseMs(leaseOf(entry))
  }

  /**
   * Makes sure that a session that is not heard of can never act again.
   * @returns false when it lives after all
   */
  async bury(session: string): Promise<boolean> {
    if (session === this.#id) return false
    const key = sessionKey(session)
    const entry = this.bucket.get(key)
    if (entry.value === undefined) return true
    if (this.isAlive(session) || !this.isValid()) return false
    return (await this.bucket.write(key, undefined, entry.revision)) !== undefined
  }

  /** Leaves in order. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#unlisten()
    this.#timer?.cancel()
    this.#lapseTimer?.cancel()
    if (this.#opening !== undefined && this.#link.connected) {
      await this.#opening.catch(() => {})
      await this.bucket.write(sessionKey(this.#id), undefined, this.#revision).catch(() => {})
    }
    this.bucket.close()
  }

  #silentMs({ seenAtMs }: Entry): number {
    return this.#link.host.clock.monotonicMs() - seenAtMs
  }

  async #open(): Promise<void> {
    await this.bucket.open()
    await this.#beat()
  }

  /** One at a time: each is written over the one before. */
  async #beat(): Promise<void> {
    this.#isBeating = true
    try {
      while (!this.#closed && !(await this.#beatOnce())) {}
    } finally {
      this.#isBeating = false
    }
  }

  /** @returns false when another has to follow at once */
  async #beatOnce(): Promise<boolean> {
    const { clock } = this.#link.host
    const { leaseMs } = this.#link.settings
    if (this.#id === '') {
      this.#id = this.#link.inbox().slice('_INBOX.'.length)
      this.#isNew = true
    }
    const [sentAtMs, beganMs] = [clock.monotonicMs(), clock.nowMs()]
    this.#beats += 1
    const beat: Beat = { leaseMs, beat: this.#beats }
    const revision = await this.bucket.write(sessionKey(this.#id), JSON.stringify(beat), this.#revision)
    if (this.#closed) return true
    if (revision === undefined) {
      this.#refused()
      return false
    }
    this.#revision = revision
    this.lastBeat = { beganMs, endedMs: clock.nowMs(), revision }
    return this.#confirmed(sentAtMs + leaseMs)
  }

  /** A beat stands there whose answer never came; or nothing does, since somebody has declared this process dead. */
  #refused(): void {
    const { value, revision } = this.bucket.get(sessionKey(this.#id))
    if (value !== undefined && revision > this.#revision) {
      this.#revision = revision
      return
    }
    // It begins a new life.
    this.#id = ''
    this.#revision = 0
    this.#lapse()
  }

  /** @returns whether it still counts: an answer may come late, after an outage */
  #confirmed(validUntilMs: number): boolean {
    const { clock } = this.#link.host
    // Who asked in between was told no, and waits to hear of it.
    if (!this.isValid()) this.#lapse()
    this.#lapseTimer?.cancel()
    this.#validUntilMs = validUntilMs
    const leftMs = validUntilMs - clock.monotonicMs()
    if (leftMs <= 0) {
      this.#lapse()
      return false
    }
    this.#lapseTimer = clock.setTimer(Math.max(1, leftMs), () => this.#lapse())
    this.#renewIn(Math.min(this.#link.settings.leaseMs / 3, leftMs / 2))
    if (this.#isValid) return true
    const isNew = this.#isNew
    this.#isNew = false
    this.#isValid = true
    for (const listener of [...this.#listeners]) listener.onRenewed(isNew)
    return true
  }

  #renewIn(ms: number): void {
    this.#timer?.cancel()
    if (this.#closed) return
    this.#timer = this.#link.host.clock.setTimer(ms, () => {
      this.#beat().catch((thrown: unknown) => {
        if (this.#closed || this.#link.closed) return
        this.#link.host.log.warn('the session was not renewed', { error: errorFrom(thrown, 'renewal').message })
        this.#renewIn(this.#link.settings.leaseMs / 10)
      })
    })
  }

  /** A beat that is under way has been sent again by now. */
  #hurry(): void {
    if (this.#id !== '' && !this.#closed && !this.#isValid && !this.#isBeating) this.#renewIn(1)
  }

  #lapse(): void {
    if (!this.#isValid) return
    this.#isValid = false
    for (const listener of [...this.#listeners]) listener.onLapsed()
  }
}

function sessionKey(session: string): string {
  return `s.${session}`
}

function leaseOf({ value }: Entry): number {
  try {
    const { leaseMs } = JSON.parse(value ?? '') as Beat
    return Number.isFinite(leaseMs) ? leaseMs : 0
  } catch {
    return 0
  }
}
