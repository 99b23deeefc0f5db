import type { filterSlot } from 'posthaste/pipeline'

type Filter = Parameters<typeof filterSlot>[0]

/**
 * So many requests at a time, and whatever else comes waits for a worker, for as long as it takes: what threads, processes
 * or database connections are to a server that holds one for as long as it answers. One pool for all that is served.
 */
export function workerPool(workers: number): Filter {
  let free = workers
  const line: (() => void)[] = []
  const enter = (): Promise<void> => {
    if (free === 0) return new Promise((resolve) => line.push(resolve))
    free -= 1
    return Promise.resolve()
  }
  const leave = (): void => {
    const next = line.shift()
    if (next === undefined) free += 1
    else next()
  }
  return {
    role: 'workers',
    apply: (call, next) =>
      enter()
        .then(() => next(call))
        .finally(leave),
    describe: () => ({ role: 'workers', workers }),
    snapshot: () => ({ role: 'workers', free, waiting: line.length }),
  }
}
