/** Channels asked for at once: declaring hundreds one after the other would take long. */
const parallelMax = 16

/** Works on several at once, and rejects with the first failure. */
export async function inParallel<T>(items: readonly T[], work: (item: T) => Promise<unknown>): Promise<void> {
  const rest = items.values()
  const worker = async (): Promise<void> => {
    for (const item of rest) await work(item)
  }
  await Promise.all(Array.from({ length: Math.min(parallelMax, items.length) }, worker))
}
