import {
  type BrowsedRecord,
  type BrowsePage,
  type BrowseQuery,
  type Browsing,
  type Engine,
  type MessageContract,
  PosthasteError,
} from '@posthaste/contracts'
import {
  choiceOption,
  integerOption,
  type OptionSpec,
  optional,
  readOptions,
  refuseOptions,
} from '../../pipeline/options.ts'
import { type DeadLetter, deadLetterChannel, parseDeadLetter, reviveDeadLetter } from './dead-letter.ts'

/** A page of dead letters, oldest first. */
export interface DeadLetterPage {
  readonly letters: readonly DeadLetter[]
  /** Pass as `after` for the next page; undefined at the end. */
  readonly next: string | undefined
}

/** Where to look. */
export interface DeadLetterQuery {
  /** At most this many, 1 to 10,000. Default: 100. */
  readonly limit?: number | undefined
  /** Continue after this position. Default: from the oldest. */
  readonly after?: string | undefined
}

/** Which dead letters to redrive: exactly one of `ids`, `positions` and `all`. */
export interface RedriveSelection {
  readonly ids?: readonly string[] | undefined
  readonly positions?: readonly string[] | undefined
  /** All that were there when the redrive began; those that die again meanwhile are left. */
  readonly all?: true | undefined
  /** At most this many, the oldest first, from 1. Default: no bound. */
  readonly limit?: number | undefined
}

/** What a redrive did. */
export interface RedriveReport {
  readonly moved: number
  /** What was asked for and not moved. */
  readonly failed: readonly RedriveFailure[]
}

/** One dead letter that was not moved. */
export interface RedriveFailure {
  /** Undefined where it was asked for by position and is gone. */
  readonly id: string | undefined
  /** Undefined where it was asked for by id and is gone. */
  readonly position: string | undefined
  readonly error: PosthasteError
}

/** The dead letters of one group of one contract. A group that nobody has ever consumed as has none. */
export interface DeadLetters {
  /**
   * A page of them. Disturbs nobody.
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot look into channels; CONFIG_INVALID
   */
  browse(query?: DeadLetterQuery): Promise<DeadLetterPage>
  /**
   * Gives dead letters back to the group that failed them, and to no other: the original message under its own id, its
   * attempts beginning at 1. Each goes at most once, also when several redrive at a time.
   *
   * @throws CAPABILITY_UNSUPPORTED where the engine cannot move or address records; CONFIG_INVALID
   */
  redrive(selection: RedriveSelection): Promise<RedriveReport>
}

/** What dead letters are looked up with. */
export interface DeadLettersInit {
  readonly contract: MessageContract
  readonly group: string
  readonly engine: Engine
  /** Makes the channel exist where this application consumes as that group. */
  readonly declared: () => Promise<void>
  readonly nowMs: () => number
}

const pageMax = 10_000
const scanSize = 500

const texts: OptionSpec<readonly string[] | undefined> = {
  fallback: undefined,
  expects: 'an array of text',
  accepts: (value) => Array.isArray(value) && value.every((item) => typeof item === 'string'),
}
const querySpec = {
  limit: integerOption(100, { min: 1, max: pageMax }),
  after: optional({ fallback: '', expects: 'a position', accepts: (value: unknown) => typeof value === 'string' }),
}
const selectionSpec = {
  ids: texts,
  positions: texts,
  all: optional(choiceOption<boolean>(true, [true])),
  limit: optional(integerOption(0, { min: 1, max: Number.MAX_SAFE_INTEGER })),
}

/** Browses and redrives through the engine's `browsing`. */
export function deadLettersOf(init: DeadLettersInit): DeadLetters {
  const { contract, group, engine, declared } = init
  const channel = deadLetterChannel(contract.type, group).name
  return {
    async browse(given = {}) {
      const { limit, after } = readOptions('browse', given, { options: querySpec })
      const browsing = browsingOf(engine)
      await declared()
      const page = await pageOf(browsing, { channel, limit, after })
      return { letters: page.records.map(parseDeadLetter), next: page.next }
    },
    async redrive(given) {
      const selection = readSelection(given)
      const browsing = browsingOf(engine)
      if (engine.capabilities.groupAddress === 'none') throw unsupported(engine, 'address records to one group')
      await declared()
      return new Redrive(init, browsing, selection).run()
    },
  }
}

/** What is still to be found. */
interface Selection {
  readonly by: 'id' | 'position' | 'all'
  readonly wanted: Set<string>
  readonly limit: number
}

function readSelection(given: RedriveSelection): Selection {
  const { ids, positions, all, limit } = readOptions('redrive', given, { options: selectionSpec })
  if ([ids, positions, all].filter((way) => way !== undefined).length !== 1) {
    refuseOptions([{ path: 'redrive', message: 'needs exactly one of ids, positions and all' }])
  }
  const by = all === true ? 'all' : ids === undefined ? 'position' : 'id'
  return { by, wanted: new Set(ids ?? positions), limit: limit ?? Number.POSITIVE_INFINITY }
}

/** One pass over the channel, page by page, oldest first. */
class Redrive {
  readonly #init: DeadLettersInit
  readonly #browsing: Browsing
  readonly #selection: Selection
  readonly #channel: string
  readonly #startedAtMs: number
  readonly #failed: RedriveFailure[] = []
  /** Ids of what was chosen. */
  readonly #found = new Set<string>()
  #moved = 0
  #chosen = 0

  constructor(init: DeadLettersInit, browsing: Browsing, selection: Selection) {
    this.#init = init
    this.#browsing = browsing
    this.#selection = selection
    this.#channel = deadLetterChannel(init.contract.type, init.group).name
    this.#startedAtMs = init.nowMs()
  }

  async run(): Promise<RedriveReport> {
    let after: string | undefined
    do {
      const page = await pageOf(this.#browsing, { channel: this.#channel, limit: scanSize, after })
      await this.#move(page.records.filter((found) => this.#choose(found)))
      after = page.next
    } while (after !== undefined && !this.#complete())
    return { moved: this.#moved, failed: [...this.#failed, ...this.#missing()] }
  }

  #choose({ record, position, storedAtMs }: BrowsedRecord): boolean {
    const { by, wanted, limit } = this.#selection
    if (this.#chosen >= limit) return false
    // What dies again while everything is redriven would go round in circles.
    // What died again since this began has had its turn.
    if (by !== 'position' && storedAtMs > this.#startedAtMs) return false
    if (by === 'all' && this.#found.has(record.id)) return false
    if (by === 'position' && !wanted.delete(position)) return false
    // One id may stand here twice; both are wanted, and neither is missing.
    if (by === 'id' && !wanted.has(record.id)) return false
    this.#found.add(record.id)
    this.#chosen += 1
    return true
  }

  async #move(chosen: readonly BrowsedRecord[]): Promise<void> {
    if (chosen.length === 0) return
    const { contract, group, engine } = this.#init
    const to = { channel: contract.type, group }
    const moves = chosen.map(({ position, record }) => ({ position, publish: [reviveDeadLetter(record, to)] }))
    const outcomes = await this.#browsing.move(this.#channel, moves)
    for (const [at, { position, record }] of chosen.entries()) {
      const outcome = outcomes[at]
      if (outcome?.ok === true) this.#moved += 1
      else {
        const silent = new PosthasteError(
          'UNAVAILABLE',
          `engine ${engine.name} did not say whether it moved ${record.id}`,
        )
        this.#failed.push({ id: record.id, position, error: outcome?.error ?? silent })
      }
    }
  }

  #complete(): boolean {
    const { by, wanted, limit } = this.#selection
    return this.#chosen >= limit || (by === 'position' && wanted.size === 0)
  }

  #missing(): RedriveFailure[] {
    const { by, wanted } = this.#selection
    if (by === 'all' || this.#complete()) return []
    const missing = [...wanted].filter((name) => by === 'position' || !this.#found.has(name))
    return missing.map((name) => {
      const error = new PosthasteError('NOT_FOUND', `${this.#channel}: there is no dead letter ${name}`)
      return by === 'id' ? { id: name, position: undefined, error } : { id: undefined, position: name, error }
    })
  }
}

/** A page of a channel; an empty one where nobody has declared it, since looking must not make a channel. */
async function pageOf(browsing: Browsing, query: BrowseQuery): Promise<BrowsePage> {
  try {
    return await browsing.browse(query)
  } catch (error) {
    if (PosthasteError.is(error, 'NOT_FOUND')) return { records: [], next: undefined }
    throw error
  }
}

function browsingOf(engine: Engine): Browsing {
  if (engine.browsing === undefined) throw unsupported(engine, 'look into channels')
  return engine.browsing
}

function unsupported(engine: Engine, what: string): PosthasteError {
  return new PosthasteError('CAPABILITY_UNSUPPORTED', `the engine ${engine.name} cannot ${what}`)
}
