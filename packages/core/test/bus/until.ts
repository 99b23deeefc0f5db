/**
 * Resolves once something holds that no clock of a test rules over, such as what Web Crypto computes on a thread of its own.
 * It fails after so many turns of the event loop that no such thing takes them.
 */
export async function until(holds: () => boolean | Promise<boolean>): Promise<void> {
  for (let turn = 0; turn < 100_000; turn++) {
    if (await holds()) return
    await new Promise((resolve) => setImmediate(resolve))
  }
  throw new Error('it never came to hold')
}
