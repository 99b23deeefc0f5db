import assert from 'node:assert/strict'
import type { MessageContext } from 'posthaste/bus'
import type { CaseContext } from '../context.ts'
import type { Note } from './bus.ts'

/** One run of a handler. */
export interface Run {
  readonly n: number
  readonly id: string
  readonly key: string | undefined
  readonly attempt: number
  /** When it began, by the host's clock. */
  readonly atMs: number
  /** Which handler ran. */
  readonly by: string
}

/** What a journal takes of a message's context. */
export type Handled = Pick<MessageContext, 'id' | 'key' | 'attempt'>

/** What the handlers of a case did, in the order in which they began. */
export class Journal {
  readonly runs: Run[] = []
  readonly #context: CaseContext
  #crashes = 0

  constructor(context: CaseContext) {
    this.#context = context
  }

  /**
   * Kills the engine. What handlers of the dead process still do never happened: see {@link Journal.living}.
   */
  async crash(): Promise<void> {
    this.#crashes += 1
    await this.#context.crash()
  }

  /** A handler that notes what it is given while the process of this moment lives, after a turn. */
  living(): (note: Note, context: Handled) => Promise<void> {
    const born = this.#crashes
    return async (note, context) => {
      await Promise.resolve()
      if (born === this.#crashes) this.note(note, context)
    }
  }

  note({ n }: Note, { id, key, attempt }: Handled, by = ''): Run {
    const run = { n, id, key, attempt, atMs: this.#context.nowMs(), by }
    this.runs.push(run)
    return run
  }

  /** A handler that notes what it is given, and does nothing else. */
  handler(by = ''): (note: Note, context: Handled) => void {
    return (note, context) => void this.note(note, context, by)
  }

  get numbers(): readonly number[] {
    return this.runs.map(({ n }) => n)
  }

  of(n: number): readonly Run[] {
    return this.runs.filter((run) => run.n === n)
  }

  by(by: string): readonly Run[] {
    return this.runs.filter((run) => run.by === by)
  }

  /** Waits until this many runs began, while time goes by. */
  async reached(count: number): Promise<void> {
    await this.#context.eventually(
      () => this.runs.length >= count,
      () => `${count} runs of handlers, saw ${this.runs.length}`,
    )
  }

  /** Waits until every number below `count` was handled, while time goes by. */
  async complete(count: number): Promise<void> {
    const missing = () => count - new Set(this.numbers).size
    await this.#context.eventually(
      () => missing() <= 0,
      () => `all of ${count} messages, ${missing()} are missing`,
    )
  }
}

/**
 * Every number below `count` was handled, and no other. Repetitions are counted, never hidden: they become figures, and
 * more than `duplicatesMax` fail.
 */
export function expectComplete(context: CaseContext, runs: readonly Run[], expected: Expectation): void {
  const { count, duplicatesMax = 0 } = expected
  const seen = new Map<number, number>()
  for (const { n } of runs) seen.set(n, (seen.get(n) ?? 0) + 1)
  const missing = Array.from({ length: count }, (_, n) => n).filter((n) => !seen.has(n))
  assert.deepEqual(missing, [], `${missing.length} of ${count} were never handled`)
  const strangers = [...seen.keys()].filter((n) => !Number.isInteger(n) || n < 0 || n >= count)
  assert.deepEqual(strangers, [], 'nothing is handled that was not sent')
  const duplicates = runs.length - seen.size
  context.count('messages', count)
  context.count('duplicates', duplicates)
  assert.ok(
    duplicates <= duplicatesMax,
    `${duplicates} of ${count} were handled again, at most ${duplicatesMax} may be`,
  )
}

/** What is to be handled. */
export interface Expectation {
  readonly count: number
  /** Most repetitions that are no fault; 0 if absent. */
  readonly duplicatesMax?: number
}

/** Every two runs of one key that follow each other are of numbers that do: each pair is compared. */
export function expectKeyedPairs(context: CaseContext, runs: readonly Run[]): void {
  const last = new Map<string, Run>()
  let pairs = 0
  for (const run of runs) {
    if (run.key === undefined) continue
    const before = last.get(run.key)
    last.set(run.key, run)
    if (before === undefined) continue
    pairs += 1
    assert.ok(before.n <= run.n, `of key ${run.key}, ${run.n} was handled after ${before.n}`)
  }
  assert.ok(pairs > 0, 'there are pairs to compare')
  context.count('pairs', pairs)
}
