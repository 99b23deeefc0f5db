import { PosthasteError } from '@posthaste/contracts'

/** What clients take places of, and give back. */
export type Place = 'sessions' | 'subscriptions' | 'temporaryGroups'

/** How many places of each there are, and the option that says so. */
export type Places = Readonly<Record<Place, { readonly max: number | undefined; readonly option: string }>>

const names: Readonly<Record<Place, string>> = {
  sessions: 'clients',
  subscriptions: 'subscriptions',
  temporaryGroups: 'temporary groups',
}

/** Counts the places that are taken: of one user, or of all. */
export class Tally {
  readonly #of: string
  readonly #places: Places
  readonly #taken: Record<Place, number> = { sessions: 0, subscriptions: 0, temporaryGroups: 0 }

  /** @param of whose they are, as it is told */
  constructor(of: string, places: Places) {
    this.#of = of
    this.#places = places
  }

  /**
   * Takes a place of each, or of none.
   * @returns gives it back, once
   * @throws OVERLOADED when there is none left; those who have one keep it
   */
  static take(place: Place, tallies: readonly Tally[]): () => void {
    for (const tally of tallies) tally.#check(place)
    for (const tally of tallies) tally.#taken[place] += 1
    let isTaken = true
    return () => {
      if (!isTaken) return
      isTaken = false
      for (const tally of tallies) tally.#taken[place] -= 1
    }
  }

  #check(place: Place): void {
    const { max, option } = this.#places[place]
    if (max === undefined || this.#taken[place] < max) return
    throw new PosthasteError('OVERLOADED', `${this.#of} has ${max} ${names[place]}, as many as there may be`, {
      // A client that has gone makes room by itself; whoever has what they ask for keeps it.
      verdict: place === 'sessions' ? 'retryable' : 'permanent',
      remedy: `End some of them, or raise ${option} in the configuration of the broker.`,
    })
  }
}
