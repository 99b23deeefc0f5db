import {
  type BrokerClient,
  commonVersion,
  incompatible,
  packParcel,
  protocolVersions,
  readParcel,
  type SessionBegun,
  type SessionNews,
  sentCapabilities,
} from '@posthaste/broker/protocol'
import { PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import type { Grants } from '../access/grants.ts'
import { Tally } from '../quotas/tally.ts'
import { capabilitiesOf } from './capabilities.ts'
import { type SessionAsked, sessionBeginning, versionsOf } from './heads.ts'
import { Session } from './session.ts'
import type { Surroundings } from './surroundings.ts'
import type { TemporaryGroup } from './temporary-groups.ts'

/** Shortest time that a client may ask for, in milliseconds. */
const sessionMsMin = 100
const sessionId = /^[A-Za-z0-9]{16,64}$/

/** All clients, by their sessions. */
export class Sessions {
  readonly #around: Surroundings
  readonly #sessions = new Map<string, Session>()
  #isDraining = false
  #count = 0

  constructor(around: Surroundings) {
    this.#around = around
  }

  get all(): Iterable<Session> {
    return this.#sessions.values()
  }

  isKept(group: TemporaryGroup): boolean {
    for (const { temporary } of this.#sessions.values()) if (temporary.has(group)) return true
    return false
  }

  clients(): readonly BrokerClient[] {
    return [...this.#sessions.values()].map(({ number, instance, grants, isConnected, subscriptions }) => ({
      ...{ number, instance, user: grants.user, isConnected },
      subscriptions: subscriptions.size,
    }))
  }

  get size(): number {
    return this.#sessions.size
  }

  /** @throws NOT_FOUND when it has ended, or is somebody else's */
  find(id: string | undefined, grants: Grants): Session {
    const session = this.#sessions.get(id ?? '')
    if (session !== undefined && session.grants === grants) return session
    throw new PosthasteError('UNAVAILABLE', 'this broker knows no such session')
  }

  /** The stream of a client's presence. */
  accept(grants: Grants, stream: LinkStream): StreamSink {
    let session: Session | undefined
    return {
      message: (body) => {
        if (session !== undefined) return
        try {
          const { head } = readParcel(body)
          // Before anything else, which another version may say otherwise.
          const version = versionFor(versionsOf(head))
          const beginning = sessionBeginning(head)
          const resumed = this.#begin(beginning, grants)
          session = this.find(beginning.session, grants)
          session.attach(stream)
          stream.send(packParcel(this.#begun(beginning, { resumed, version })))
        } catch (thrown) {
          stream.fail(PosthasteError.from(thrown, 'BODY_MALFORMED', 'session'))
        }
      },
      ended: () => {
        if (session === undefined) stream.end()
        else void session.leave()
      },
      failed: (cause) => {
        session?.detach(stream, cause)
        stream.end()
      },
      writable: () => {},
    }
  }

  /** Everybody is to hand back what has not begun. */
  drain(): void {
    this.#isDraining = true
    const news: SessionNews = { draining: true }
    for (const session of this.#sessions.values()) {
      session.control?.send(packParcel(news))
      for (const subscription of session.subscriptions.values()) subscription.drain()
    }
  }

  /** What is in anybody's hands goes back uncounted. */
  async end(): Promise<void> {
    // First: what a client was not told of before its session ends, it has to call uncertain.
    await Promise.all([...this.#sessions.values()].map(({ publications }) => publications.finish()))
    await Promise.all([...this.#sessions.values()].map((session) => session.leave()))
  }

  /** @returns whether it goes on */
  #begin({ session, resume, abandoned, instance, sessionMs }: SessionAsked, grants: Grants): boolean {
    if (this.#isDraining) throw new PosthasteError('UNAVAILABLE', 'the broker is about to stop')
    if (!sessionId.test(session))
      throw new PosthasteError('INVALID_ARGUMENT', 'a session is named by letters and digits')
    if (abandoned !== undefined && this.#sessions.get(abandoned)?.grants === grants)
      void this.#sessions.get(abandoned)?.vanish()
    const known = this.#sessions.get(session)
    if (known !== undefined && known.grants !== grants)
      throw new PosthasteError('CONFLICT', 'a session of this name is somebody else’s')
    if (known !== undefined && resume) return true
    void known?.vanish()
    const giveBack = Tally.take('sessions', [grants.places, this.#around.places])
    this.#count += 1
    const init = {
      id: session,
      number: this.#count,
      instance: String(instance).slice(0, 200),
      grants,
      sessionMs: this.#within(sessionMs),
    }
    this.#sessions.set(
      session,
      new Session(init, this.#around, (each) => {
        giveBack()
        if (this.#sessions.get(each.id) === each) this.#sessions.delete(each.id)
      }),
    )
    return false
  }

  #begun({ sessionMs }: SessionAsked, { resumed, version }: Pick<SessionBegun, 'resumed' | 'version'>): SessionBegun {
    const { clock, config, engine } = this.#around
    return {
      ...{ version, resumed, nowMs: clock.nowMs(), sessionMs: this.#within(sessionMs), agent: 'posthaste-broker' },
      capabilities: sentCapabilities(capabilitiesOf(engine, config)),
    }
  }

  #within(sessionMs: number): number {
    const { sessionMsMax } = this.#around.config.limits
    return Math.min(Math.max(sessionMsMin, Math.floor(Number(sessionMs)) || sessionMsMin), sessionMsMax)
  }
}

/** @throws FAILED_PRECONDITION where broker and client speak no version together */
function versionFor(spoken: readonly number[]): number {
  const theirs = spoken.slice(0, versionsMax)
  const common = commonVersion(theirs)
  if (common === undefined) throw incompatible(theirs, protocolVersions)
  return common
}

/** Whoever names more has them looked through no further. */
const versionsMax = 64
