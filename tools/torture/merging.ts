import type { Plan } from './contracts.ts'
import {
  type Handling,
  type History,
  type Message,
  type Moment,
  nameOf,
  type Step,
  type StoredMessage,
} from './history.ts'
import type { Dead, Derived, End, Entry, Fact, Intent, Place, Start, Stored } from './journal.ts'

/** Merges the journals of all lives, oldest first; of each, what is needed is kept and no more. */
export function historyOf(lives: Iterable<Iterable<Entry>>): History {
  const history = new Merging()
  for (const life of lives) {
    for (const entry of life) history.add(entry)
    history.lives += 1
  }
  return history
}

/** There are millions of entries, so what is kept of one is as small as can be. */
class Merging implements History {
  lives = 0
  readonly messages = new Map<string, Message>()
  readonly handlings = new Map<string, Handling>()
  readonly dead = new Map<string, Dead[]>()
  readonly stored = new Map<string, StoredMessage>()
  readonly facts: (Fact & Moment)[] = []
  readonly #texts = new Map<string, string>()
  readonly #plans = new Map<string, Plan>()
  #at = 0

  add(entry: Entry): void {
    const at = this.#at++
    switch (entry.t) {
      case 'intent':
      case 'derived':
        this.#said(entry, at)
        return
      case 'confirmed':
        this.messages.get(entry.id)!.confirmedAt ??= at
        return
      case 'cancelling':
        this.messages.get(entry.id)!.cancel = 'tried'
        return
      case 'cancelled':
        this.messages.get(entry.id)!.cancel = entry.wasWaiting ? 'done' : 'refused'
        return
      case 'dead':
        this.dead.set(nameOf(entry), [...(this.dead.get(nameOf(entry)) ?? []), entry])
        return
      case 'stored':
        this.#stored(entry)
        return
      case 'start':
      case 'end':
      case 'redriving':
      case 'discarding':
      case 'redriven':
      case 'discarded':
        this.#stepsOf(entry).push(this.#step(entry, at))
        return
      default:
        this.facts.push({ ...entry, at, life: this.lives })
    }
  }

  /** What is repeated, by a publisher or by a handling, is the same message again. */
  #said(entry: Intent | Derived, at: number): void {
    if (this.messages.has(entry.id)) return
    const shared = { channel: this.#one(entry.channel), key: this.#one(entry.key) }
    const said =
      entry.t === 'intent' ? { ...entry, ...shared, plan: this.#onePlan(entry.plan) } : { ...entry, ...shared }
    this.messages.set(entry.id, { said, since: { at, life: this.lives }, confirmedAt: undefined, cancel: 'none' })
  }

  #stored({ id, channel, atMs, occurrence }: Stored): void {
    const known = this.stored.get(id)
    if (known !== undefined) known.count += 1
    else this.stored.set(id, { channel: this.#one(channel), atMs, occurrence, count: 1 })
  }

  #step(entry: Start | End | { readonly t: 'redriving' | 'discarding' | 'redriven' | 'discarded' }, at: number): Step {
    const life = this.lives
    if (entry.t === 'end') return { t: 'end', at, life, outcome: this.#one(entry.outcome) }
    if (entry.t !== 'start') return { t: entry.t, at, life }
    const { attempt, sum, atMs, batch, format, claimed } = entry
    return {
      t: 'start',
      at,
      life,
      attempt,
      sum,
      atMs,
      batch,
      claimed,
      key: this.#one(entry.key),
      format: this.#one(format),
    }
  }

  #stepsOf(place: Place): Step[] {
    const name = nameOf(place)
    const known = this.handlings.get(name)
    if (known !== undefined) return known.steps
    const message = this.messages.get(place.id)
    const own = { channel: this.#one(place.channel), group: this.#one(place.group), id: message?.said.id ?? place.id }
    const handling: Handling = { place: own, message, steps: [] }
    this.handlings.set(name, handling)
    return handling.steps
  }

  /** The same text, once in memory. */
  #one<T extends string | undefined>(text: T): T {
    if (text === undefined) return text
    const known = this.#texts.get(text)
    if (known === undefined) this.#texts.set(text, text)
    return (known ?? text) as T
  }

  #onePlan(plan: Plan): Plan {
    const name = `${plan.kind} ${plan.at} ${plan.failures}`
    const known = this.#plans.get(name) ?? plan
    this.#plans.set(name, known)
    return known
  }
}
