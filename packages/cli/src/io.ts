import type { Clock } from '@posthaste/contracts'

/** Where text goes. */
export interface Out {
  /** Resolves once the reader has taken it, so that who writes much waits for who reads slowly. */
  write(text: string): Promise<void>
  readonly isTerminal: boolean
  /** Characters of a line; undefined where nobody counts them. */
  readonly columns: number | undefined
}

/** Everything of its surroundings that a command sees. */
export interface Io {
  /** Answers, and nothing else. */
  readonly out: Out
  /** Errors, questions, and what is told beside the answer. */
  readonly err: Out
  /** Standard input, as it comes. */
  readonly input: AsyncIterable<Uint8Array>
  readonly inputIsTerminal: boolean
  /** Asks a person; undefined where there is none to ask. */
  readonly ask: ((question: string) => Promise<string>) | undefined
  readonly env: Readonly<Record<string, string | undefined>>
  readonly clock: Clock
  /** Aborted when the user has enough: by Ctrl-C, or by closing the other end of the pipe. */
  readonly signal: AbortSignal
}
