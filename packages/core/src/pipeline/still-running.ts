const works = new WeakMap<object, PromiseLike<unknown>>()

/**
 * Says of a failure that the work it stands for runs on: its caller was told that it is over, and it may not heed that. For
 * whoever hands out a number of places: one is free when the work has ended, not when somebody has stopped waiting for it.
 */
export function noteStillRunning(failure: object, work: PromiseLike<unknown>): void {
  works.set(failure, work)
}

/** The work that runs on, or has ended since; undefined where a failure is the end of its work. */
export function stillRunning(thrown: unknown): PromiseLike<unknown> | undefined {
  return typeof thrown === 'object' && thrown !== null ? works.get(thrown) : undefined
}
