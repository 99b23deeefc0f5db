import assert from 'node:assert/strict'
import type { CaseContext } from './context.ts'

/** Enough that every key range has some. */
export const sharedKeys: readonly string[] = Array.from({ length: 24 }, (_, at) => `k${at}`)

const roundsMax = 100
const restMs = 200

/**
 * Has records of all keys read, round after round, until two readers share the key ranges and none moves any more.
 * @returns the keys that one of them reads, as `round` says
 */
export async function sharedOut(
  context: CaseContext,
  round: () => Promise<ReadonlySet<string>>,
): Promise<ReadonlySet<string>> {
  let before: ReadonlySet<string> = new Set()
  for (let rounds = 0; rounds < roundsMax; rounds += 1) {
    const now = await round()
    const isShared = now.size > 0 && now.size < sharedKeys.length
    if (isShared && now.size === before.size && [...now].every((key) => before.has(key))) return now
    before = now
    await context.reach(context.nowMs() + restMs)
  }
  assert.fail(`two readers did not share the key ranges: one has ${before.size} of ${sharedKeys.length} keys`)
}
