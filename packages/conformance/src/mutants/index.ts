/** Engines that are wrong on purpose, to show that a suite finds what it is there for. */

export type { Mutant } from './mutant.ts'
export { mutants } from './mutants.ts'
