import {
  type DeliverySink,
  type DeliveryTag,
  type KeyRangeSink,
  type Note,
  PosthasteError,
  type SerialTable,
} from '@posthaste/contracts'
import type { FilterDeps } from '../../pipeline/stack.ts'
import type { Quiet } from '../consuming/quiet.ts'
import type { Entry } from './entry.ts'
import { KeyRange, type KeyRangeInit } from './key-range.ts'
import type { Suspicion } from './suspects.ts'

/** What the ranges of a member go round with. */
export interface MemberRangesInit {
  readonly sink: DeliverySink
  readonly quiet: Quiet
  readonly deps: FilterDeps
  /** What each of them is read with. */
  readonly range: Omit<KeyRangeInit, 'name' | 'suspicion'>
  /** What the core has of key ranges, by its tags. */
  readonly inHand: SerialTable<Entry>
  /** Whether the member takes ranges. */
  isReading(): boolean
  /** Whether nothing is on its way to the core, or from it to the engine. */
  isIdle(): boolean
  /** Something may be done that could not be before. */
  turn(): void
}

/** The key ranges that a member reads, as the engine gives and takes them. */
export class MemberRanges {
  readonly #init: MemberRangesInit
  /** In the order in which they have their turn. */
  readonly #ranges = new Map<string, KeyRange>()
  /** Of ranges that were lost. */
  readonly #suspicions = new Map<string, Suspicion>()

  constructor(init: MemberRangesInit) {
    this.#init = init
  }

  get size(): number {
    return this.#ranges.size
  }

  get(name: string): KeyRange | undefined {
    return this.#ranges.get(name)
  }

  /** In the order in which they have their turn; one that is passed meanwhile is seen again. */
  [Symbol.iterator](): Iterator<KeyRange> & Iterable<KeyRange> {
    return this.#ranges.values()
  }

  /** It has had its turn: behind all others. */
  pass(range: KeyRange): void {
    this.#ranges.delete(range.name)
    this.#ranges.set(range.name, range)
  }

  get isAnyRecalled(): boolean {
    for (const range of this) if (range.isRecalled) return true
    return false
  }

  /** What the engine is given to tell of them. */
  get sink(): KeyRangeSink {
    return {
      assigned: (name, notes) => this.#assigned(name, notes),
      recalled: (name) => {
        const range = this.#ranges.get(name)
        if (range?.isReading) void this.#giveUp(range)
      },
      revoked: (name, reason) => this.#revoked(name, reason),
    }
  }

  /** None of them is read any more. */
  drop(reason: PosthasteError): void {
    for (const range of this) range.drop(reason)
    this.#ranges.clear()
  }

  #assigned(name: string, notes: readonly Note[]): void {
    const { isReading, range, turn } = this.#init
    if (!isReading()) return
    this.#revoked(name, new PosthasteError('DELIVERY_LOST', `the engine assigned key range ${name} again`))
    const suspicion = this.#suspicions.get(name)
    this.#ranges.set(name, new KeyRange({ ...range, name, suspicion }, notes))
    turn()
  }

  #revoked(name: string, reason: PosthasteError): void {
    const { inHand, sink, turn } = this.#init
    const range = this.#ranges.get(name)
    if (range === undefined) return
    this.#ranges.delete(name)
    this.#suspicions.set(name, range.suspicion)
    range.drop(reason)
    const tags: DeliveryTag[] = []
    for (const [tag, entry] of inHand.entries()) {
      if (entry.range !== range) continue
      inHand.delete(tag)
      entry.phase = 'gone'
      tags.push(tag)
    }
    if (tags.length > 0) sink.lost(tags, reason)
    turn()
  }

  async #giveUp(range: KeyRange): Promise<void> {
    const { sink, deps, quiet, isIdle, turn, range: shared } = this.#init
    const isOurs = (): boolean => this.#ranges.get(range.name) === range
    const isDone = (): boolean => isIdle() && range.isQuiet && this.#tagsOf(range).length === 0
    range.recall()
    sink.recall?.(this.#tagsOf(range))
    turn()
    await quiet.wait(Number.POSITIVE_INFINITY, () => !isOurs() || isDone())
    if (!isOurs()) return
    await range.leave()
    if (!isOurs()) return
    this.#revoked(range.name, new PosthasteError('DELIVERY_LOST', 'it was given up'))
    try {
      await shared.control.giveUp(range.name)
    } catch (error) {
      deps.log.warn('the engine did not take a key range back', { target: deps.target, range: range.name, error })
    }
  }

  #tagsOf(range: KeyRange): DeliveryTag[] {
    return this.#init.inHand.entries().flatMap(([tag, entry]) => (entry.range === range ? [tag] : []))
  }
}
