import { malformed } from '@posthaste/broker/protocol'

/**
 * Reads what a client says, member by member: whoever is on the other side may be no client of ours. What it does not know it
 * passes over, and null is as good as nothing.
 */
export class Head {
  readonly #members: Readonly<Record<string, unknown>>
  readonly #path: string

  /** @throws BODY_MALFORMED when it is no object */
  constructor(head: unknown, path = '') {
    if (typeof head !== 'object' || head === null || Array.isArray(head))
      throw malformed(`${path === '' ? 'what it begins with' : path} must be an object`)
    this.#members = head as Readonly<Record<string, unknown>>
    this.#path = path
  }

  /** Whatever it is. */
  any(name: string): unknown {
    return this.#member(name)
  }

  text(name: string): string {
    return this.#needed(name, this.maybeText(name), 'text')
  }

  maybeText(name: string): string | undefined {
    return this.#of(name, 'text', (value): value is string => typeof value === 'string')
  }

  number(name: string): number {
    return this.#needed(name, this.maybeNumber(name), 'a number')
  }

  /** @param infinite what null stands for: JSON has no infinity */
  maybeNumber(name: string, infinite: number = Number.POSITIVE_INFINITY): number | undefined {
    if (Object.hasOwn(this.#members, name) && this.#members[name] === null) return infinite
    return this.#of(name, 'a number', (value): value is number => typeof value === 'number')
  }

  /** A number that can be counted to. */
  whole(name: string): number {
    const value = this.number(name)
    if (!Number.isSafeInteger(value)) throw this.#mistake(name, 'a whole number')
    return value
  }

  flag(name: string): boolean {
    return this.#needed(name, this.maybeFlag(name), 'true or false')
  }

  maybeFlag(name: string): boolean | undefined {
    return this.#of(name, 'true or false', (value): value is boolean => typeof value === 'boolean')
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice {
    return this.#needed(name, this.maybeChoice(name, choices), choices.join(' or '))
  }

  maybeChoice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    return this.#of(name, choices.join(' or '), (value): value is Choice => choices.includes(value as Choice))
  }

  object(name: string): Head {
    return this.#needed(name, this.maybeObject(name), 'an object')
  }

  maybeObject(name: string): Head | undefined {
    const value = this.#member(name)
    return value === undefined ? undefined : new Head(value, `${this.#path}${name}.`)
  }

  /** Each of a list, read as it must be. */
  list<Item>(name: string, read: (item: Head) => Item): readonly Item[] {
    return this.values(name).map((value, at) => read(new Head(value, `${this.#path}${name}.${at}.`)))
  }

  /** A list of whatever it is of. */
  values(name: string): readonly unknown[] {
    return this.#needed(name, this.maybeValues(name), 'a list')
  }

  maybeValues(name: string): readonly unknown[] | undefined {
    return this.#of(name, 'a list', (value): value is readonly unknown[] => Array.isArray(value))
  }

  #member(name: string): unknown {
    // What an object has of its own: it may be called as what all of them have.
    return Object.hasOwn(this.#members, name) ? (this.#members[name] ?? undefined) : undefined
  }

  #of<T>(name: string, what: string, isRight: (value: unknown) => value is T): T | undefined {
    const value = this.#member(name)
    if (value === undefined) return undefined
    if (isRight(value)) return value
    throw this.#mistake(name, what)
  }

  #needed<T>(name: string, value: T | undefined, what: string): T {
    if (value === undefined) throw this.#mistake(name, what)
    return value
  }

  #mistake(name: string, what: string): Error {
    return malformed(`${this.#path}${name} must be ${what}`)
  }
}
