/**
 * Does work on each of several things, at most `width` of them at the same time (default 1), begun in their order.
 * @throws what the first work that failed threw, after what is under way has ended; no other is begun then
 */
export async function inParallel<T>(
  width: number | undefined,
  things: readonly T[],
  work: (thing: T) => Promise<void>,
): Promise<void> {
  const waiting = [...things].reverse()
  const lane = async (): Promise<void> => {
    for (let thing = waiting.pop(); thing !== undefined; thing = waiting.pop()) {
      try {
        await work(thing)
      } catch (thrown) {
        waiting.length = 0
        throw thrown
      }
    }
  }
  const lanes = Array.from({ length: Math.min(Math.max(1, width ?? 1), things.length) }, lane)
  for (const ended of await Promise.allSettled(lanes)) if (ended.status === 'rejected') throw ended.reason
}
