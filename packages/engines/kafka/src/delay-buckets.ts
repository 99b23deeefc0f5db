/** What waits no longer than this waits in memory. */
const unitMs = 64
const ratio = 4

/** How many partitions the topic of delays has. */
export const delayBuckets = 16

/** Where something waits, and how long before it goes on. */
export interface Bucket {
  readonly bucket: number
  readonly waitMs: number
}

/**
 * The step that what is due in `remainingMs` takes next. In a bucket everything waits equally long, so what came first goes
 * first: bucket k + 1 waits 64 ms times 4 to the k, the last one 2 years; bucket 0 is for the rest, less than 64 ms. A step
 * is never longer than what remains, so however often it is taken nothing is early.
 */
export function bucketOf(remainingMs: number): Bucket {
  let waitMs = unitMs
  if (remainingMs < waitMs) return { bucket: 0, waitMs: Math.max(0, remainingMs) }
  let bucket = 1
  while (bucket < delayBuckets - 1 && waitMs * ratio <= remainingMs) {
    waitMs *= ratio
    bucket += 1
  }
  return { bucket, waitMs }
}
