import { checkPattern, type PatternGroupSpec, type Patterns, patternMatcher } from '@posthaste/contracts'
import type { Channel } from './channel.ts'

/** Somebody who wants to know the channels of a pattern. */
interface Watcher {
  readonly pattern: string
  readonly onChannel: (channel: string) => void
  readonly told: Set<string>
}

/** The groups that follow patterns, and who watches them. */
export class PatternGroups {
  readonly #channels: ReadonlyMap<string, Channel>
  readonly #report: (channel: string, cause: unknown) => void
  /** By pattern and group. */
  readonly #specs = new Map<string, PatternGroupSpec>()
  readonly #watchers = new Set<Watcher>()

  /** `report` is told what a watcher threw. */
  constructor(channels: ReadonlyMap<string, Channel>, report: (channel: string, cause: unknown) => void) {
    this.#channels = channels
    this.#report = report
  }

  declare(spec: PatternGroupSpec): void {
    checkPattern(spec)
    this.#specs.set(`${spec.pattern} ${spec.group}`, spec)
    for (const channel of this.#channels.values()) this.#follow(spec, channel)
  }

  /** A channel was made: it gets its groups before anything is published to it. */
  added(channel: Channel): void {
    for (const spec of this.#specs.values()) this.#follow(spec, channel)
  }

  #follow(spec: PatternGroupSpec, channel: Channel): void {
    if (!patternMatcher(spec.pattern)(channel.spec)) return
    if (!channel.groups.has(spec.group)) channel.addGroup(spec)
    for (const watcher of this.#watchers) if (watcher.pattern === spec.pattern) this.#tell(watcher, channel)
  }

  watch(pattern: string, onChannel: (channel: string) => void): () => void {
    checkPattern({ pattern })
    const watcher = { pattern, onChannel, told: new Set<string>() }
    this.#watchers.add(watcher)
    const isFollowed = [...this.#specs.values()].some((spec) => spec.pattern === pattern)
    for (const channel of this.#channels.values()) {
      if (isFollowed && patternMatcher(pattern)(channel.spec)) this.#tell(watcher, channel)
    }
    return () => void this.#watchers.delete(watcher)
  }

  #tell({ told, onChannel }: Watcher, { spec: { name } }: Channel): void {
    if (told.has(name)) return
    told.add(name)
    try {
      onChannel(name)
    } catch (thrown) {
      this.#report(name, thrown)
    }
  }

  /** The process ends, and with it who watched and what was temporary. */
  forget(): void {
    this.#watchers.clear()
    for (const [name, { lifetime }] of this.#specs) if (lifetime === 'temporary') this.#specs.delete(name)
  }
}

/** The ability over a store's groups; `current` rejects calls on a closed engine. */
export function patterns(current: () => void, groups: PatternGroups): Patterns {
  return {
    async declare(spec) {
      current()
      groups.declare(spec)
    },
    async watch(pattern, onChannel) {
      current()
      return groups.watch(pattern, onChannel)
    },
  }
}
