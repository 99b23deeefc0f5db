import { checkPattern, type PatternGroupSpec, type Patterns, type PosthasteError } from '@posthaste/contracts'
import { type Ask, tell } from './calls.ts'
import { unavailable } from './errors.ts'
import type { Presence, PresenceListener } from './presence.ts'
import { packParcel, readParcel } from './protocol/calls.ts'
import { sessionHeader, streams } from './protocol/methods.ts'
import type { WatchBeginning, WatchNews } from './protocol/watching.ts'

/** Groups over patterns: temporary ones are declared again with each session, and watchers watch on. */
export class PatternGroups implements Patterns {
  readonly #ask: Ask
  readonly #presence: () => Presence
  readonly #temporary = new Map<string, PatternGroupSpec>()
  #lastNumber = 0

  constructor(ask: Ask, presence: () => Presence) {
    this.#ask = ask
    this.#presence = presence
  }

  async declare(spec: PatternGroupSpec): Promise<void> {
    checkPattern(spec)
    await this.#ask('declarePattern', spec, { repeatable: true })
    const name = `${spec.pattern} ${spec.group}`
    if (spec.lifetime === 'temporary') this.#temporary.set(name, { ...spec, from: 'next' })
    else this.#temporary.delete(name)
  }

  /** Those that went with the session before. */
  again(presence: Presence): void {
    for (const spec of this.#temporary.values()) tell(presence, 'declarePattern', spec)
  }

  async watch(pattern: string, onChannel: (channel: string) => void): Promise<() => void> {
    checkPattern({ pattern })
    const presence = this.#presence()
    await presence.ready(Number.MAX_SAFE_INTEGER)
    this.#lastNumber += 1
    const watcher = new Watcher(presence, { pattern, watch: this.#lastNumber }, onChannel)
    await watcher.begun
    return () => watcher.stop()
  }
}

/** One who is told of channels, each once. */
class Watcher implements PresenceListener {
  readonly begun: Promise<void>
  readonly #presence: Presence
  readonly #what: Pick<WatchBeginning, 'pattern' | 'watch'>
  readonly #onChannel: (channel: string) => void
  readonly #told = new Set<string>()
  readonly #unlisten: () => void
  #begin: { resolve(): void; reject(error: PosthasteError): void }
  #end: (() => void) | undefined
  #isStopped = false

  constructor(
    presence: Presence,
    what: Pick<WatchBeginning, 'pattern' | 'watch'>,
    onChannel: (channel: string) => void,
  ) {
    this.#presence = presence
    this.#what = what
    this.#onChannel = onChannel
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.begun = promise
    this.#begin = { resolve, reject }
    this.#unlisten = presence.listen(this)
    this.attached(true)
  }

  attached(resumed: boolean): void {
    // A new session knows nothing of it.
    if (this.#isStopped && !resumed) {
      this.#unlisten()
      return
    }
    const beginning: WatchBeginning = { ...this.#what, isOver: this.#isStopped }
    const stream = this.#presence.stream(streams.watch, packParcel(beginning), {
      metadata: { [sessionHeader]: this.#presence.session },
      sink: {
        message: (body) => this.#hear(readParcel(body).head as WatchNews),
        ended: () => {
          if (this.#isStopped) this.#unlisten()
          this.#begin.reject(unavailable('the broker has ended the watching'))
        },
        failed: (error) => {
          // What is lost with the connection begins again with the next one.
          if (error.code === 'UNAVAILABLE') return
          if (this.#isStopped) this.#unlisten()
          this.#begin.reject(error)
        },
        writable: () => {},
      },
    })
    this.#end = () => stream.end()
    if (this.#isStopped) stream.end()
  }

  detached(): void {
    this.#end = undefined
  }

  lost(): void {
    if (this.#isStopped) this.#unlisten()
  }

  draining(): void {}

  /** The broker keeps watching for a session that may come back, so it must hear of it: over this connection or the next. */
  stop(): void {
    if (this.#isStopped) return
    this.#isStopped = true
    this.#end?.()
  }

  #hear({ channels }: WatchNews): void {
    for (const channel of channels) {
      if (this.#isStopped) return
      if (this.#told.has(channel)) continue
      this.#told.add(channel)
      try {
        this.#onChannel(channel)
      } catch (cause) {
        this.#presence.host.log.error(`who watches '${this.#what.pattern}' threw when told of '${channel}'`, {
          channel,
          cause,
        })
      }
    }
    this.#begin.resolve()
  }
}
