/** Patterns of channels: dotted words, `*` for one, `**` at the end for one or more, and `**` alone for all. */
export interface Rights {
  /** Channels that one may publish to. */
  readonly publish: readonly string[]
  /** Channels that one may join the groups of, and make groups on. */
  readonly consume: readonly string[]
  /** Channels that one may make, look into, move and seek. */
  readonly manage: readonly string[]
}

/** What one may want to do with a channel. */
export type Right = keyof Rights
