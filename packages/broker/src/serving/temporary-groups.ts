import type { GroupSpec, PatternGroupSpec } from '@posthaste/contracts'

/** A group of a channel, or of all channels of a pattern. */
export type TemporaryGroup = GroupSpec | PatternGroupSpec

/** Temporary groups that a session has declared, each with the place that it takes. */
export class TemporaryGroups {
  readonly #take: () => () => void
  readonly #groups = new Map<string, { readonly group: TemporaryGroup; readonly giveBack: () => void }>()

  /** @param take takes a place, and says how to give it back */
  constructor(take: () => () => void) {
    this.#take = take
  }

  has(group: TemporaryGroup): boolean {
    return this.#groups.has(nameOf(group))
  }

  /**
   * Notes all of them, or none. Before they are there, so that they go with the session in any case.
   * @returns forgets those that were not known, where they do not come to be
   * @throws OVERLOADED
   */
  add(groups: readonly TemporaryGroup[]): () => void {
    const added: TemporaryGroup[] = []
    const forget = (): void => {
      for (const group of added) this.forget(group)
    }
    try {
      for (const group of groups) {
        if (this.has(group)) continue
        this.#groups.set(nameOf(group), { group, giveBack: this.#take() })
        added.push(group)
      }
    } catch (thrown) {
      forget()
      throw thrown
    }
    return forget
  }

  /** It went with its last member, or is somebody else's. */
  forget(group: TemporaryGroup): void {
    const known = this.#groups.get(nameOf(group))
    this.#groups.delete(nameOf(group))
    known?.giveBack()
  }

  /** Nobody of this session watches the pattern any more. */
  forgetPattern(pattern: string): void {
    for (const { group } of this.#groups.values())
      if ('pattern' in group && group.pattern === pattern) this.forget(group)
  }

  /** Forgets all. @returns what was there */
  takeAll(): readonly TemporaryGroup[] {
    const all = [...this.#groups.values()]
    this.#groups.clear()
    for (const { giveBack } of all) giveBack()
    return all.map(({ group }) => group)
  }
}

function nameOf(group: TemporaryGroup): string {
  return 'pattern' in group ? `pattern ${group.pattern} ${group.group}` : `${group.channel} ${group.group}`
}
