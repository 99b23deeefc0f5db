/** Engines that are wrong on purpose, to show that a suite finds what it is there for. */

export { type Mutant, mutants } from './mutants.ts'
