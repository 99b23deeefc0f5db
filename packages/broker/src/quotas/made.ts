import { PosthasteError } from '@posthaste/contracts'

/** Who makes something, and how many of it they may make. */
export interface Maker {
  readonly user: string
  readonly max: number
}

/** What is about to be made. */
export interface Making {
  /** It was tried: these were not there before. Absent: none of it was made. */
  done(created?: readonly string[]): void
}

/**
 * What users make, and what stays from then on: channels, groups. It is counted before it is there, since any number may be
 * asked for at once.
 */
export class Made {
  /** All that there are, by their names. */
  readonly known = new Set<string>()
  readonly #what: string
  readonly #max: number
  /** Names that are there and not known yet: asked for before anything is refused. */
  readonly #found: () => Iterable<string>
  readonly #making = new Set<string>()
  /** Made or being made, by user, since the start. */
  readonly #by = new Map<string, number>()

  /** @param what in the plural, as in the option `limits.channelsMax` */
  constructor(what: string, max: number, found: () => Iterable<string>) {
    this.#what = what
    this.#max = max
    this.#found = found
  }

  /** @throws OVERLOADED when it is more than there may be */
  begin(names: Iterable<string>, maker: Maker): Making {
    let unknown = this.#unknownOf(names)
    if (!this.#mayMake(unknown, maker)) {
      this.look()
      unknown = this.#unknownOf(names)
      if (!this.#mayMake(unknown, maker)) throw this.#refusal(maker)
    }
    const counted = this.#countedOf(unknown)
    this.#count(maker, counted.length)
    for (const name of counted) this.#making.add(name)
    return {
      done: (created) => {
        for (const name of counted) this.#making.delete(name)
        const all = new Set(created)
        const made = unknown.filter((name) => all.has(name))
        for (const name of made) this.known.add(name)
        this.#count(maker, made.length - counted.length)
        // It was there already, or it differs from what is there and did not come to be.
        if (created !== undefined && unknown.some((name) => !this.known.has(name))) this.look()
      },
    }
  }

  #unknownOf(names: Iterable<string>): readonly string[] {
    return [...new Set(names)].filter((name) => !this.known.has(name))
  }

  /** Those that others make now are theirs. */
  #countedOf(unknown: readonly string[]): readonly string[] {
    return unknown.filter((name) => !this.#making.has(name))
  }

  /** Gets to know what there is. */
  look(): void {
    for (const name of this.#found()) this.known.add(name)
  }

  #mayMake(unknown: readonly string[], { user, max }: Maker): boolean {
    const more = this.#countedOf(unknown).length
    const all = this.known.size + this.#making.size + more
    return more === 0 || (all <= this.#max && (this.#by.get(user) ?? 0) + more <= max)
  }

  #count({ user }: Maker, more: number): void {
    this.#by.set(user, (this.#by.get(user) ?? 0) + more)
  }

  #refusal({ user, max }: Maker): PosthasteError {
    const what = this.#what
    return new PosthasteError(
      'OVERLOADED',
      `user '${user}' may not make more than ${Math.min(max, this.#max)} ${what}`,
      {
        verdict: 'permanent',
        remedy: `Raise limits.${what}Max in the configuration of the broker.`,
      },
    )
  }
}
