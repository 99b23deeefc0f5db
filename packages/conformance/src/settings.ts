/** Sizes and limits of a run. */
export interface SuiteSettings {
  /** Multiplies the number of records in the cases that are about volume; 1 suits an engine in the process. */
  readonly scale: number
  /** Real time after which a case gives up waiting for something, in milliseconds. */
  readonly patienceMs: number
  /** Runs of the random-operations case. */
  readonly randomRuns: number
  /** Seed of the random-operations case; another one for each run of the suite if absent. A failure names it. */
  readonly seed: number | undefined
}
