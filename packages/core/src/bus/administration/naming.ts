import type { MessageContract } from '@posthaste/contracts'
import { type OptionSpec, readOptions, required } from '../../pipeline/options.ts'
import { groupOption } from '../consuming/options.ts'

/** Whose dead letters, and which. */
export interface DeadLettersOf {
  readonly group: string
  /** Those that an error rule has sent apart with `deadLetterTo`. Default: those that no rule has. */
  readonly target?: string | undefined
}

const targetOption: OptionSpec<string | undefined> = {
  fallback: undefined,
  expects: '1 to 32 of A-Z a-z 0-9 _ -',
  accepts: (value) => typeof value === 'string' && /^[A-Za-z0-9_-]{1,32}$/.test(value),
}

/**
 * Which group is meant. A command's needs no name.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readGroupOf(contract: MessageContract, given: unknown = {}): string {
  return readOptions(`${contract.type}.group`, given, { options: { group: optionFor(contract) } }).group
}

/**
 * Whose dead letters are meant.
 * @throws CONFIG_INVALID with an issue per mistake
 */
export function readDeadLettersOf(contract: MessageContract, given: unknown = {}): DeadLettersOf {
  const options = { group: optionFor(contract), target: targetOption }
  return readOptions(`${contract.type}.deadLetters`, given, { options })
}

function optionFor({ kind }: MessageContract): OptionSpec<string> {
  return kind === 'command' ? groupOption : required(groupOption)
}
