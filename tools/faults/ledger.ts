/** One run of a handler, as it begins. */
export interface Beginning {
  readonly id: string
  readonly key: string | undefined
  /** Its number within its key, or among those without one. */
  readonly n: number
  readonly attempt: number
  /** The member whose handler runs. */
  readonly by: string
  readonly signal: AbortSignal
}

/** A run that has begun. */
export interface Running extends Beginning {
  /** Says how it ended: `aborted` when it was told to stop. */
  ended(how: 'done' | 'failed' | 'aborted'): void
}

/** What a run has shown. */
export interface Verdict {
  readonly confirmed: number
  /** Ids of what was confirmed, and neither handled nor kept as a dead letter. */
  readonly lost: readonly string[]
  /** Handled to the end more often than once. */
  readonly duplicates: number
  /** Published more often than once, since the answer did not come. */
  readonly republished: number
  /** First runs of a message after the first run of a later one of its key. */
  readonly orderViolations: readonly string[]
  /** Attempts that had failed before, which could not be settled. */
  readonly attemptsRepeated: number
  /** Attempts with a lower number than one that had failed. */
  readonly attemptsReset: readonly string[]
  /** Runs that began while the same member still had the message. */
  readonly twiceAtOnce: readonly string[]
  readonly deadLetters: number
  readonly handled: number
}

/** What is known of one message. */
interface Message {
  tries: number
  isConfirmed: boolean
  /** Whether the engine has sent it again by itself. */
  isResent: boolean
  done: number
  begun: boolean
  /** The highest attempt that failed. */
  failed: number
}

/** Notes what was confirmed and what was handled, and holds one against the other. */
export class Ledger {
  readonly #messages = new Map<string, Message>()
  readonly #running = new Map<string, Set<Running>>()
  /** By key: the highest number whose first run has begun. */
  readonly #highest = new Map<string, number>()
  readonly #orderViolations: string[] = []
  readonly #attemptsReset: string[] = []
  readonly #twiceAtOnce: string[] = []
  #attemptsRepeated = 0
  #handled = 0
  readonly #copies: boolean

  /** @param copies whether the engine gives back a message without a key as a copy: a fault can leave it and the original */
  constructor({ copies = false }: { readonly copies?: boolean } = {}) {
    this.#copies = copies
  }

  /** A message is about to be published, for the first time or again. */
  publishing(id: string): void {
    this.#of(id).tries += 1
  }

  confirmed(id: string): void {
    this.#of(id).isConfirmed = true
  }

  /**
   * The engine sends again by itself what has no answer, since the connection was lost: each of these messages may stand twice
   * though it was published once. That is at least once, and the second is another delivery, with attempts of its own.
   */
  resent(): void {
    for (const message of this.#messages.values())
      if (message.tries > 0 && !message.isConfirmed) message.isResent = true
  }

  began(beginning: Beginning): Running {
    const { id, key, n, attempt, by } = beginning
    const message = this.#of(id)
    const place = `${by} ${id}`
    const others = this.#running.get(place) ?? new Set()
    // What was published twice may stand twice, and the second is a message of its own.
    const standsOnce = message.tries < 2 && !message.isResent
    const mayBeCopied = this.#copies && key === undefined && message.failed > 0
    const isAlone = standsOnce && !mayBeCopied
    // One that was told to stop has lost its message: then somebody may have it again, this member too.
    if (isAlone && [...others].some(({ signal }) => !signal.aborted)) this.#twiceAtOnce.push(id)
    // The same attempt again: its failure was not settled before the fault. A lower one: a count was forgotten, unless it is
    // the original of a copy.
    if (standsOnce && (attempt === message.failed || (mayBeCopied && attempt < message.failed)))
      this.#attemptsRepeated += 1
    else if (standsOnce && attempt < message.failed)
      this.#attemptsReset.push(`${id}: ${attempt} after ${message.failed}`)
    if (!message.begun && key !== undefined) this.#first(id, key, n)
    message.begun = true
    const running: Running = {
      ...beginning,
      ended: (how) => {
        others.delete(running)
        if (others.size === 0) this.#running.delete(place)
        if (how === 'failed') message.failed = Math.max(message.failed, attempt)
        if (how !== 'done') return
        message.done += 1
        this.#handled += 1
      },
    }
    others.add(running)
    this.#running.set(place, others)
    return running
  }

  /** Handled to the end so far, repetitions included. */
  get handled(): number {
    return this.#handled
  }

  /** Ids that were confirmed and are neither handled nor among the dead letters. */
  missing(deadLetters: ReadonlySet<string>): readonly string[] {
    return [...this.#messages]
      .filter(([id, each]) => each.isConfirmed && each.done === 0 && !deadLetters.has(id))
      .map(([id]) => id)
  }

  verdict(deadLetters: ReadonlySet<string>): Verdict {
    const messages = [...this.#messages.values()]
    const sum = (of: (message: Message) => number) => messages.reduce((total, each) => total + of(each), 0)
    return {
      confirmed: sum(({ isConfirmed }) => Number(isConfirmed)),
      lost: this.missing(deadLetters),
      duplicates: sum(({ done }) => Math.max(0, done - 1)),
      republished: sum(({ tries }) => Math.max(0, tries - 1)),
      orderViolations: this.#orderViolations,
      attemptsRepeated: this.#attemptsRepeated,
      attemptsReset: this.#attemptsReset,
      twiceAtOnce: this.#twiceAtOnce,
      deadLetters: deadLetters.size,
      handled: this.#handled,
    }
  }

  #first(id: string, key: string, n: number): void {
    const highest = this.#highest.get(key) ?? -1
    if (n < highest) this.#orderViolations.push(`${id}: ${n} of ${key} after ${highest}`)
    this.#highest.set(key, Math.max(highest, n))
  }

  #of(id: string): Message {
    const known = this.#messages.get(id)
    if (known !== undefined) return known
    const fresh: Message = { tries: 0, isConfirmed: false, isResent: false, done: 0, begun: false, failed: 0 }
    this.#messages.set(id, fresh)
    return fresh
  }
}
