import type { Connect } from '../engine/connect.ts'
import type { Io } from '../io.ts'
import type { Print } from '../output/print.ts'
import type { Options, Values } from './options.ts'

/** What a command is run with, beside its own options. */
export interface Surroundings {
  readonly io: Io
  readonly print: Print
  readonly connect: Connect
  /** Every command there is, for those that tell of commands. */
  readonly commands: readonly Command[]
}

/** A command, in the types that its options have. */
export interface CommandSpec<A extends Options, O extends Options> {
  /** One word, or two: `tail`, `dlq list`. */
  readonly name: string
  /** One line, without a full stop. */
  readonly about: string
  /** What else there is to know; paragraphs. */
  readonly details: readonly string[]
  /** In their order; of these the last alone may repeat. */
  readonly args: A
  readonly options: O
  readonly examples: readonly string[]
  /** @returns the exit code; 0 where it says nothing */
  run(args: Values<A>, options: Values<O>, around: Surroundings): Promise<number | undefined>
}

/** A command as the program sees it: whatever its options are. */
export interface Command extends Omit<CommandSpec<Options, Options>, 'run'> {
  run(args: Values<Options>, options: Values<Options>, around: Surroundings): Promise<number | undefined>
}

/** Makes a command; what it is run with is what its own options have read. */
export function command<A extends Options, O extends Options>(spec: CommandSpec<A, O>): Command {
  return { ...spec, run: (args, options, around) => spec.run(args as Values<A>, options as Values<O>, around) }
}
