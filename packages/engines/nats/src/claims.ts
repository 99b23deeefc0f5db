import type { Timer } from '@posthaste/contracts'
import type { Entry } from './bucket.ts'
import { errorFrom } from './errors.ts'
import { pullMsFor } from './feed.ts'
import type { Link } from './link.ts'
import { idToken, tokenOf } from './names.ts'
import { memberStart, type Sessions } from './sessions.ts'
import { quotaOf, rangesFrom } from './share.ts'

/** Told which ranges a member has. */
export interface ClaimsListener {
  /** The range is this member's; who had it before may still be sent records for `quietMs`. */
  onGranted(range: number, quietMs: number): void
  /** Another member is to have it: give it back with `release`. */
  onRecalled(range: number): void
  /** It is not, or not certainly, this member's any more. */
  onTaken(range: number): void
}

/** Whose ranges. */
export interface ClaimsSpec {
  readonly channel: string
  readonly group: string
  readonly member: string
  readonly keyRanges: number
}

const free = 'free'

/** Stands in place of a session where an owner is none any more, and has not been quiet for long. */
const nobody = '-'

/** Whether some member reads a range, as far as this process knows. */
export function isRead(
  sessions: Sessions,
  { channel, group, range }: { channel: string; group: string; range: number },
): boolean {
  const { value } = sessions.bucket.get(`r.${tokenOf(channel)}.${tokenOf(group)}.${range}`)
  return value !== undefined && value !== free && sessions.isAlive(value.split(' ')[1] ?? '')
}

/** Whether a member of this process has a range, as far as it knows. */
export function isOwn(
  sessions: Sessions,
  { channel, group, range }: { channel: string; group: string; range: number },
): boolean {
  const { value } = sessions.bucket.get(`r.${tokenOf(channel)}.${tokenOf(group)}.${range}`)
  return value?.split(' ')[1] === sessions.id
}

interface Claim {
  revision: number
  isRecalled: boolean
}

/**
 * Divides the ranges of a group among its members: each has a key in the bucket of members, and each range one that names
 * its owner, written only over the revision that was seen. Who has more than its share gives up the surplus; ranges whose
 * owner is dead are taken once that has been made sure of.
 */
export class Claims {
  readonly #link: Link
  readonly #sessions: Sessions
  readonly #spec: ClaimsSpec
  readonly #listener: ClaimsListener
  readonly #members: string
  readonly #ranges: string
  readonly #token: string
  readonly #owned = new Map<number, Claim>()
  #balancing: Promise<void> | undefined
  #isDirty = false
  #timer: Timer | undefined
  #isRetired = false
  #closed = false
  readonly #unlisten: () => void

  constructor(spec: ClaimsSpec, listener: ClaimsListener, { link, sessions }: { link: Link; sessions: Sessions }) {
    this.#spec = spec
    this.#listener = listener
    this.#link = link
    this.#sessions = sessions
    const place = `${tokenOf(spec.channel)}.${tokenOf(spec.group)}.`
    this.#members = memberStart + place
    this.#ranges = `r.${place}`
    // Two members of one name are two members.
    this.#token = `${idToken(spec.member).replace('~', '_')}=${link.inbox().slice('_INBOX.'.length)}`
    this.#unlisten = sessions.listen({
      onChange: (key) => this.#noticed(key),
      onLapsed: () => this.#lapsed(),
      onRenewed: (isNew) => this.#renewed(isNew),
    })
  }

  /** Becomes a member. */
  async open(): Promise<void> {
    await this.#sessions.open()
    this.#sessions.members.add(this.#members + this.#token)
    await this.#register()
    this.#balance()
  }

  /** Whether a range is certainly this member's. */
  owns(range: number): boolean {
    return this.#owned.has(range) && this.#sessions.isValid()
  }

  /** Lets another member have a range: at once, or when there is a connection again. */
  async release(range: number): Promise<void> {
    const claim = this.#owned.get(range)
    if (claim === undefined) return
    this.#owned.delete(range)
    if (!this.#link.connected) return
    await this.#sessions.bucket.write(this.#ranges + range, free, claim.revision)
    this.#balance()
  }

  /** Takes no more ranges: what is released from here on is for others. */
  retire(): void {
    this.#isRetired = true
  }

  /** Leaves the group; its ranges must have been released before. */
  async close(): Promise<void> {
    if (this.#closed) return
    this.#closed = true
    this.#unlisten()
    this.#timer?.cancel()
    await this.#balancing?.catch(() => {})
    this.#sessions.members.delete(this.#members + this.#token)
    await this.#leave()
  }

  /** Resolves when nothing stands as this member's, or that is tried later on: the session may outlive an outage. */
  async #leave(): Promise<void> {
    const { bucket } = this.#sessions
    const key = this.#members + this.#token
    try {
      if (this.#link.connected) {
        for (let range = 0; range < this.#spec.keyRanges; range += 1) await this.#disown(range)
        const { value, revision } = bucket.get(key)
        if (value !== undefined) await bucket.write(key, undefined, revision)
        return
      }
    } catch {
      // As without a connection.
    }
    if (!this.#link.closed) void this.#link.sleep(this.#link.settings.leaseMs / 8).then(() => this.#leave())
  }

  #noticed(key: string): void {
    if (key.startsWith(this.#members) || key.startsWith(this.#ranges)) this.#balance()
    else if (key.startsWith('s.') && this.#sessions.bucket.get(key).value === undefined) this.#balance()
  }

  #lapsed(): void {
    for (const range of [...this.#owned.keys()]) this.#listener.onTaken(range)
  }

  /** What it had before it lapsed is still its own, unless it was declared dead meanwhile. */
  #renewed(isNew: boolean): void {
    if (isNew) {
      this.#owned.clear()
    } else {
      const { leaseMs } = this.#link.settings
      for (const [range, claim] of this.#owned) {
        claim.isRecalled = false
        this.#listener.onGranted(range, pullMsFor(leaseMs))
      }
    }
    this.#balance()
  }

  async #register(): Promise<void> {
    const { bucket } = this.#sessions
    const key = this.#members + this.#token
    const { value, revision } = bucket.get(key)
    if (value !== this.#sessions.id) await bucket.write(key, this.#sessions.id, revision)
  }

  #balance(): void {
    if (this.#closed || this.#isRetired) return
    this.#isDirty = true
    this.#balancing ??= this.#balanceUntilClean().finally(() => {
      this.#balancing = undefined
    })
  }

  async #balanceUntilClean(): Promise<void> {
    // What changes in the same turn is looked at together.
    await Promise.resolve()
    while (this.#isDirty && !this.#closed) {
      this.#isDirty = false
      if (!this.#sessions.isValid()) break
      try {
        await this.#balanceOnce()
      } catch (thrown) {
        if (!this.#link.closed) {
          this.#link.host.log.warn('key ranges are not divided', { error: errorFrom(thrown, 'balance').message })
        }
      }
    }
    this.#lookAgain()
  }

  /** Who dies silently is noticed by looking. */
  #lookAgain(): void {
    this.#timer?.cancel()
    if (this.#closed || this.#link.closed) return
    this.#timer = this.#link.host.clock.setTimer(this.#link.settings.leaseMs / 8, () => this.#balance())
  }

  async #balanceOnce(): Promise<void> {
    await this.#register()
    const members = await this.#liveMembers()
    const { keyRanges } = this.#spec
    const quota = quotaOf(this.#token, members, keyRanges)
    this.#noticeTaken()
    const kept = [...this.#owned].filter(([, { isRecalled }]) => !isRecalled)
    for (const [range, claim] of kept.slice(quota)) {
      claim.isRecalled = true
      this.#listener.onRecalled(range)
    }
    let wanted = quota - kept.length
    for (const range of rangesFrom(this.#token, members, keyRanges)) {
      if (this.#closed || this.#isRetired) return
      if (this.#owned.has(range)) continue
      if (wanted <= 0) await this.#disown(range)
      else if (await this.#claim(range, members)) wanted -= 1
    }
  }

  async #liveMembers(): Promise<readonly string[]> {
    const { bucket } = this.#sessions
    const live: string[] = []
    for (const [key, { value: session, revision }] of [...bucket.keys(this.#members)]) {
      if (this.#sessions.isAlive(session)) live.push(key.slice(this.#members.length))
      else if (await this.#sessions.bury(session)) await bucket.write(key, undefined, revision)
      else live.push(key.slice(this.#members.length))
    }
    return live
  }

  #noticeTaken(): void {
    for (const [range, { revision }] of this.#owned) {
      const entry = this.#sessions.bucket.get(this.#ranges + range)
      if (entry.revision <= revision) continue
      this.#owned.delete(range)
      this.#listener.onTaken(range)
    }
  }

  async #claim(range: number, members: readonly string[]): Promise<boolean> {
    const { bucket, id } = this.#sessions
    const key = this.#ranges + range
    const entry = bucket.get(key)
    const quietMs = await this.#quietMsOf(entry, members)
    if (quietMs === undefined) return false
    const revision = await bucket.write(key, `${this.#token} ${id}`, entry.revision)
    // What was written for a life that has ended meanwhile is claimed again for the new one.
    if (revision === undefined || id !== this.#sessions.id) return false
    this.#owned.set(range, { revision, isRecalled: false })
    // Else it is granted with the others when the session is renewed.
    if (this.#sessions.isValid()) this.#listener.onGranted(range, quietMs)
    return true
  }

  /** Gives up what stands as this member's though it has no claim to it: what it wrote and was not told of. */
  async #disown(range: number): Promise<void> {
    const { bucket } = this.#sessions
    const key = this.#ranges + range
    const { value, revision } = bucket.get(key)
    const [owner, session] = value?.split(' ') ?? []
    if (owner === this.#token && session !== nobody) await bucket.write(key, `${owner} ${nobody}`, revision)
  }

  /** How long records may still go astray to a former owner; undefined while it has an owner. */
  async #quietMsOf({ value }: Entry, members: readonly string[]): Promise<number | undefined> {
    if (value === undefined || value === free) return 0
    const [owner = '', session = ''] = value.split(' ')
    // Its own from a former life, or it was not told that it has it.
    if (owner === this.#token) return pullMsFor(this.#link.settings.leaseMs)
    if (members.includes(owner) && this.#sessions.isAlive(session)) return undefined
    if (!this.#sessions.isAlive(session) && !(await this.#sessions.bury(session))) return undefined
    return pullMsFor(this.#link.settings.leaseMs)
  }
}
