/** What is measured with. */
export interface Load {
  readonly channel: string
  readonly messages: number
  readonly bytes: number
  readonly batch: number
  readonly inFlight: number
  readonly credit: number
  /** Begins the ids of this run, which tells them from what an earlier one has left. */
  readonly runId: string
}

/** One group, as for every queue. */
export const benchGroup = 'bench'
