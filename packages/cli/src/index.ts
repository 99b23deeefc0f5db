/** The `posthaste` command as a function, for whoever wants to run it within a program of their own. */
export type { Out, Io } from './io.ts'
export { run } from './run.ts'
