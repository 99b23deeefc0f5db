import { checkPattern, type PatternGroupSpec, type Patterns, type PosthasteError } from '@posthaste/contracts'
import { type Ask, tell } from './calls.ts'
import { unavailable } from './errors.ts'
import type { Presence, PresenceListener } from './presence.ts'
import { packParcel, readParcel } from './protocol/calls.ts'
import { sessionHeader, streams } from './protocol/methods.ts'

/** What the broker says on the stream of a watcher: those there are, and then each as it appears. */
interface WatchNews {
  readonly channels: readonly string[]
}

/** Groups over patterns: temporary ones are declared again with each session, and watchers watch on. */
export class PatternGroups implements Patterns {
  readonly #ask: Ask
  readonly #presence: () => Presence
  readonly #temporary = new Map<string, PatternGroupSpec>()

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
    const watcher = new Watcher(presence, pattern, onChannel)
    await watcher.begun
    return () => watcher.stop()
  }
}

/** One who is told of channels, each once. */
class Watcher implements PresenceListener {
  readonly begun: Promise<void>
  readonly #presence: Presence
  readonly #pattern: string
  readonly #onChannel: (channel: string) => void
  readonly #told = new Set<string>()
  readonly #unlisten: () => void
  #begin: { resolve(): void; reject(error: PosthasteError): void }
  #end: (() => void) | undefined

  constructor(presence: Presence, pattern: string, onChannel: (channel: string) => void) {
    this.#presence = presence
    this.#pattern = pattern
    this.#onChannel = onChannel
    const { promise, resolve, reject } = Promise.withResolvers<void>()
    this.begun = promise
    this.#begin = { resolve, reject }
    this.#unlisten = presence.listen(this)
    this.attached()
  }

  attached(): void {
    const stream = this.#presence.stream(streams.watch, packParcel({ pattern: this.#pattern }), {
      metadata: { [sessionHeader]: this.#presence.session },
      sink: {
        message: (body) => this.#hear(readParcel(body).head as WatchNews),
        ended: () => this.#begin.reject(unavailable('the broker has ended the watching')),
        failed: (error) => {
          // What is lost with the connection begins again with the next one.
          if (error.code !== 'UNAVAILABLE') this.#begin.reject(error)
        },
        writable: () => {},
      },
    })
    this.#end = () => stream.end()
  }

  detached(): void {
    this.#end = undefined
  }

  lost(): void {}

  draining(): void {}

  stop(): void {
    this.#unlisten()
    this.#end?.()
  }

  #hear({ channels }: WatchNews): void {
    for (const channel of channels) {
      if (this.#told.has(channel)) continue
      this.#told.add(channel)
      try {
        this.#onChannel(channel)
      } catch (cause) {
        this.#presence.host.log.error(`who watches '${this.#pattern}' threw when told of '${channel}'`, {
          channel,
          cause,
        })
      }
    }
    this.#begin.resolve()
  }
}
