import type { Issue } from '@posthaste/contracts'

/** Reads an object field by field, and notes everything that is wrong with it and with what is in it. */
export class Fields {
  readonly mistakes: Issue[]
  readonly #value: Readonly<Record<string, unknown>>
  readonly #path: string
  readonly #read = new Set<string>()

  private constructor(value: Readonly<Record<string, unknown>>, path: string, mistakes: Issue[]) {
    this.#value = value
    this.#path = path
    this.mistakes = mistakes
  }

  static root(value: Readonly<Record<string, unknown>>): Fields {
    return new Fields(value, '', [])
  }

  mistake(name: string, message: string): void {
    this.mistakes.push({ path: `${this.#path}${name}`, message })
  }

  text(name: string): string | undefined {
    return this.#of(name, 'must be text', (value) => typeof value === 'string' && value !== '')
  }

  /** Text that must be there. */
  needed(name: string): string {
    const value = this.text(name)
    if (value === undefined && this.#value[name] === undefined) this.mistake(name, 'is missing')
    return value ?? ''
  }

  /** Text, or several of them. */
  texts(name: string): readonly string[] | undefined {
    const value = this.#of<string | readonly string[]>(
      name,
      'must be text, or a list of texts',
      (given) => typeof given === 'string' || (Array.isArray(given) && given.every((each) => typeof each === 'string')),
    )
    return typeof value === 'string' ? [value] : value
  }

  flag(name: string): boolean | undefined {
    return this.#of(name, 'must be true or false', (value) => typeof value === 'boolean')
  }

  isFalse(name: string): boolean {
    this.#read.add(name)
    return this.#value[name] === false
  }

  whole(name: string, [least, most]: readonly [number, number]): number | undefined {
    return this.#of(
      name,
      `must be a whole number from ${least} to ${most}`,
      (value) => Number.isInteger(value) && (value as number) >= least && (value as number) <= most,
    )
  }

  choice<Choice extends string>(name: string, choices: readonly Choice[]): Choice | undefined {
    return this.#of(name, `must be one of ${choices.join(', ')}`, (value) => choices.includes(value as Choice))
  }

  object(name: string): Fields | undefined {
    const value = this.#of<Record<string, unknown>>(name, 'must be an object', isObject)
    return value && new Fields(value, `${this.#path}${name}.`, this.mistakes)
  }

  /** Objects by names of their own. */
  objects(name: string): Readonly<Record<string, Fields>> {
    const all = this.object(name)
    if (all === undefined) return {}
    const names = Object.keys(all.#value)
    const found = names.map((each) => [each, all.object(each)] as const)
    return Object.fromEntries(found.filter((each): each is [string, Fields] => each[1] !== undefined))
  }

  /** Notes what nobody has asked for. */
  nothingElse(): void {
    for (const name of Object.keys(this.#value)) if (!this.#read.has(name)) this.mistake(name, 'is not an option')
  }

  #of<T>(name: string, message: string, isRight: (value: unknown) => boolean): T | undefined {
    this.#read.add(name)
    const value = this.#value[name]
    if (value === undefined) return undefined
    if (isRight(value)) return value as T
    this.mistake(name, message)
    return undefined
  }
}

function isObject(value: unknown): boolean {
  return typeof value === 'object' && value !== null && !Array.isArray(value)
}
