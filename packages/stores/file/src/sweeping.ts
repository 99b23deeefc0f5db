import { readdir, stat, unlink } from 'node:fs/promises'
import { join } from 'node:path'
import { type Layout, shards } from './layout.ts'

/** How much one call of a sweep does. */
export interface SweepOptions {
  /** Files that it looks at, at most, 1 to 1,000,000. Default: 10,000. */
  readonly examineMax?: number | undefined
}

/** What one call of a sweep has done. */
export interface SweepReport {
  readonly examined: number
  readonly removed: number
  readonly bytesRemoved: number
  /** Whether it came to the end of the store; the next call begins anew. Otherwise the next call goes on. */
  readonly finished: boolean
}

/** A file that a sweep looks at, and the age from which it goes. */
interface Candidate {
  readonly path: string
  readonly keepForMs: number
}

/** What a crash left half written is nobody's after this long: no body takes an hour to write. */
const partialForMs = 3_600_000

/** Goes through the store in portions, round after round. */
export class Sweeping {
  readonly #layout: Layout
  readonly #keepForMs: number
  #round: AsyncGenerator<Candidate> | undefined

  constructor(layout: Layout, keepForMs: number) {
    this.#layout = layout
    this.#keepForMs = keepForMs
  }

  /** One call at a time. After a failure the next one begins anew. */
  async portion(examineMax: number): Promise<SweepReport> {
    try {
      return await this.#portion(examineMax)
    } catch (error) {
      this.#round = undefined
      throw error
    }
  }

  async #portion(examineMax: number): Promise<SweepReport> {
    const nowMs = await this.#layout.nowMs()
    this.#round ??= this.#candidates()
    let examined = 0
    let removed = 0
    let bytesRemoved = 0
    while (examined < examineMax) {
      const { value: candidate, done } = await this.#round.next()
      if (done) {
        this.#round = undefined
        return { examined, removed, bytesRemoved, finished: true }
      }
      examined++
      const bytes = await removeIfOld(candidate, nowMs)
      if (bytes === undefined) continue
      removed++
      bytesRemoved += bytes
    }
    return { examined, removed, bytesRemoved, finished: false }
  }

  /** Holds the names of one directory at a time. */
  async *#candidates(): AsyncGenerator<Candidate> {
    yield* filesIn(this.#layout.partial, partialForMs)
    if (this.#keepForMs === Number.POSITIVE_INFINITY) return
    for (const shard of shards) yield* filesIn(this.#layout.shard(shard), this.#keepForMs)
  }
}

async function* filesIn(dir: string, keepForMs: number): AsyncGenerator<Candidate> {
  const names = await unlessMissing(readdir(dir))
  for (const name of names ?? []) yield { path: join(dir, name), keepForMs }
}

/** @returns how many bytes are gone with it, or undefined */
async function removeIfOld({ path, keepForMs }: Candidate, nowMs: number): Promise<number | undefined> {
  const found = await unlessMissing(stat(path))
  if (found === undefined || nowMs - found.mtimeMs < keepForMs) return undefined
  // Somebody else's sweep may have been here first.
  return unlessMissing(unlink(path).then(() => found.size))
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined
    throw error
  }
}
