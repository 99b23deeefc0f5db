import type { Timer } from '@posthaste/contracts'
import { Bucket, type Entry } from './bucket.ts'
import { serverLeaseMs } from './configs.ts'
import { errorFrom } from './errors.ts'
import type { Link } from './link.ts'
import { groupKey, type Names } from './names.ts'
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

/** How keys of sessions begin. */
const sessionStart = 's.'

/** What is written about a session. */
export interface Beat {
  /** How long it may be silent. */
  readonly leaseMs: number
  readonly beat: number
  /**
   * How many members it has of each group without key ranges, by {@link groupKey}: nobody but who counts them has to
   * know of them, so they have no keys. Absent where they are too many to be told.
   */
  readonly members?: Readonly<Record<string, number>>
}

/** A member that joins or leaves is told of after this long, with others that do meanwhile. */
const tellMs = 50

/** Longest sign of life, far below what a server takes: one that is refused would end the session. */
const beatCharsMax = 32_768

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
  /** Members of groups without key ranges. */
  readonly #competing = new Map<string, number>()
  /** Whether they have changed since the last sign of life. */
  #isUntold = false
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
    return entry.value !== undefined && this.#silentMs(entry) < serverLeaseMs(leaseOf(beatOf(entry)))
  }

  /**
   * Sessions that were heard of within their lease, by the server's clock: whoever has just begun to watch has seen those
   * that are long dead as late as the others.
   */
  present(serverMs: number): ReadonlyMap<string, Partial<Beat>> {
    const found = new Map<string, Partial<Beat>>()
    for (const [key, entry] of this.bucket.keys(sessionStart)) {
      const session = key.slice(sessionStart.length)
      const { storedAtMs = serverMs } = entry
      const beat = beatOf(entry)
      const isHeardOf = serverMs - storedAtMs < serverLeaseMs(leaseOf(beat)) && this.isAlive(session)
      if (session === this.#id || isHeardOf) found.set(session, beat)
    }
    return found
  }

  /** This process has one more member of a group without key ranges. */
  joined(channel: string, group: string): void {
    this.#count(groupKey(channel, group), 1)
  }

  /** It has one less. */
  left(channel: string, group: string): void {
    this.#count(groupKey(channel, group), -1)
  }

  #count(group: string, by: number): void {
    const members = (this.#competing.get(group) ?? 0) + by
    if (members === 0) this.#competing.delete(group)
    else this.#competing.set(group, members)
    if (this.#isUntold) return
    this.#isUntold = true
    if (!this.#isBeating) this.#renewIn(tellMs)
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
    if (this.#id === '') {
      this.#id = this.#link.inbox().slice('_INBOX.'.length)
      this.#isNew = true
    }
    const [sentAtMs, beganMs] = [clock.monotonicMs(), clock.nowMs()]
    const revision = await this.bucket.write(sessionKey(this.#id), this.#nextBeat(), this.#revision)
    if (this.#closed) return true
    if (revision === undefined) {
      this.#refused()
      return false
    }
    this.#revision = revision
    this.lastBeat = { beganMs, endedMs: clock.nowMs(), revision }
    return this.#confirmed(sentAtMs + this.#link.settings.leaseMs)
  }

  #nextBeat(): string {
    this.#beats += 1
    this.#isUntold = false
    const beat: Beat = { leaseMs: this.#link.settings.leaseMs, beat: this.#beats }
    const whole = JSON.stringify({ ...beat, members: Object.fromEntries(this.#competing) } satisfies Beat)
    return whole.length <= beatCharsMax ? whole : JSON.stringify(beat)
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
    this.#renewIn(Math.min(this.#isUntold ? tellMs : this.#link.settings.leaseMs / 3, leftMs / 2))
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
  return sessionStart + session
}

function beatOf({ value }: Entry): Partial<Beat> {
  try {
    return (JSON.parse(value ?? '') ?? {}) as Partial<Beat>
  } catch {
    return {}
  }
}

function leaseOf({ leaseMs = 0 }: Partial<Beat>): number {
  return Number.isFinite(leaseMs) ? leaseMs : 0
}
