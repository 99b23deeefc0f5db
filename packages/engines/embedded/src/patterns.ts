import { checkPattern, type GroupSpec, type Log, type PatternGroupSpec, patternMatcher } from '@posthaste/contracts'
import type { Channel } from './channel.ts'
import { patternPrefix } from './topology-rows.ts'

/** What pattern groups need of the registry. */
export interface PatternContext {
  readonly channels: ReadonlyMap<string, Channel>
  readonly log: Log
  readonly memory: PatternMemory
  /** Makes a group, durably with the next transaction. */
  readonly addGroup: (spec: GroupSpec) => void
  /** Takes out a temporary group that has no members. */
  readonly removeGroup: (channel: string, group: string) => void
  /** Writes or removes a row with the next transaction. */
  readonly put: (key: string, value: PatternGroupSpec | undefined) => void
}

interface Following {
  readonly spec: PatternGroupSpec
  readonly isOf: ReturnType<typeof patternMatcher>
  /** Whether its pattern has been watched. */
  watched: boolean
}

/** What stays while the process lives, though the engine reads its directory anew after a failed write. */
export interface PatternMemory {
  readonly watchers: Set<PatternWatcher>
  /** Temporary ones, of which the store knows nothing. */
  readonly temporary: Map<string, PatternGroupSpec>
}

/** Somebody who wants to know the channels of a pattern. */
export interface PatternWatcher {
  readonly pattern: string
  readonly onChannel: (channel: string) => void
  readonly told: Set<string>
}

/**
 * The groups that follow patterns, and who watches them. A temporary one whose pattern was watched is followed no more
 * once nobody watches and no group has members: otherwise each later channel would keep its records for nobody.
 */
export class PatternGroups {
  readonly #context: PatternContext
  /** By key of the row. */
  readonly #followed = new Map<string, Following>()
  #isLooking = false

  constructor(context: PatternContext) {
    this.#context = context
  }

  /** Takes over a durable one of an earlier process. */
  restore(spec: PatternGroupSpec): void {
    const { pattern } = spec
    this.#followed.set(keyOf(spec), { spec, isOf: patternMatcher(pattern), watched: this.#isWatched(pattern) })
  }

  /** All that the store knows is restored: those that it does not know are followed on. */
  restored(): void {
    for (const spec of this.#context.memory.temporary.values()) this.declare(spec)
  }

  /** @throws CONFIG_INVALID listing every mistake */
  declare(spec: PatternGroupSpec): void {
    checkPattern(spec)
    this.restore(spec)
    const { temporary } = this.#context.memory
    const isTemporary = spec.lifetime === 'temporary'
    if (isTemporary) temporary.set(keyOf(spec), spec)
    else temporary.delete(keyOf(spec))
    this.#context.put(keyOf(spec), isTemporary ? undefined : spec)
    for (const channel of this.#context.channels.values()) this.added(channel)
  }

  /** A channel was made: it gets its groups in the same transaction. */
  added(channel: Channel): void {
    for (const { spec, isOf } of this.#followed.values()) {
      const { group, from, lifetime } = spec
      if (channel.groups.has(group) || !isOf(channel.spec)) continue
      this.#context.addGroup({ channel: channel.spec.name, group, from, lifetime })
    }
  }

  /**
   * Tells of the channels there are, and of later ones when {@link announce} is called.
   * @throws CONFIG_INVALID when the pattern is none
   */
  watch(pattern: string, onChannel: (channel: string) => void): () => void {
    checkPattern({ pattern })
    const watcher = { pattern, onChannel, told: new Set<string>() }
    this.#context.memory.watchers.add(watcher)
    for (const following of this.#followed.values()) if (following.spec.pattern === pattern) following.watched = true
    this.#announceTo(watcher)
    return () => {
      if (this.#context.memory.watchers.delete(watcher)) this.#forgetDeserted()
    }
  }

  /** Tells watchers of channels that they have not heard of. */
  announce(): void {
    for (const watcher of this.#context.memory.watchers) this.#announceTo(watcher)
  }

  #announceTo({ pattern, told, onChannel }: PatternWatcher): void {
    const following = [...this.#followed.values()].find(({ spec }) => spec.pattern === pattern)
    if (following === undefined) return
    for (const channel of this.#context.channels.values()) {
      const { name } = channel.spec
      if (told.has(name) || !following.isOf(channel.spec)) continue
      told.add(name)
      try {
        onChannel(name)
      } catch (thrown) {
        this.#context.log.error(`who watches '${pattern}' threw when told of '${name}'`, {
          channel: name,
          cause: thrown,
        })
      }
    }
  }

  /** A temporary group of a channel has lost its last member. Those of ten thousand may in one turn: they are looked at once. */
  left(): void {
    if (this.#isLooking) return
    this.#isLooking = true
    queueMicrotask(() => {
      this.#isLooking = false
      this.#forgetDeserted()
    })
  }

  #forgetDeserted(): void {
    for (const [key, { spec, isOf, watched }] of this.#followed) {
      if (spec.lifetime !== 'temporary' || !watched || this.#isWatched(spec.pattern)) continue
      const having = [...this.#context.channels.values()].filter(({ groups }) => groups.has(spec.group))
      const channels = having.filter((channel) => isOf(channel.spec))
      if (channels.some(({ groups }) => groups.get(spec.group)?.group.hasMembers)) continue
      this.#followed.delete(key)
      this.#context.memory.temporary.delete(key)
      for (const channel of channels) this.#context.removeGroup(channel.spec.name, spec.group)
    }
  }

  #isWatched(wanted: string): boolean {
    for (const { pattern } of this.#context.memory.watchers) if (pattern === wanted) return true
    return false
  }
}

function keyOf({ pattern, group }: PatternGroupSpec): string {
  return `${patternPrefix}${pattern}/${group}`
}
