/** One request and what became of it. Times are milliseconds since the volley began. */
export interface Shot {
  /** When it was due, which is when its user began to wait: a generator that lags behind makes nobody faster. */
  readonly dueMs: number
  /** When it left. */
  readonly sentMs: number
  readonly endedMs: number
  /** 0 where there was no answer. */
  readonly status: number
}

/** A time of even load. */
export interface Phase {
  readonly perS: number
  readonly forMs: number
}

/**
 * Makes requests at their times, whatever becomes of the earlier ones: users do not wait for each other. Resolves when all
 * of them have ended.
 *
 * @param fire makes the request of this number, from 0; resolves with its status and never rejects
 */
export async function volley(phases: readonly Phase[], fire: (no: number) => Promise<number>): Promise<Shot[]> {
  const due = duesOf(phases)
  const beganAtMs = performance.now()
  const nowMs = (): number => performance.now() - beganAtMs
  const shots: Promise<Shot>[] = []
  for (const dueMs of due) {
    const earlyMs = dueMs - nowMs()
    if (earlyMs > 0) await pause(earlyMs)
    const sentMs = nowMs()
    shots.push(fire(shots.length).then((status) => ({ dueMs, sentMs, endedMs: nowMs(), status })))
  }
  return Promise.all(shots)
}

/** When each request is due. */
export function duesOf(phases: readonly Phase[]): number[] {
  const dues: number[] = []
  let beganMs = 0
  for (const { perS, forMs } of phases) {
    const count = Math.round((perS * forMs) / 1_000)
    for (let at = 0; at < count; at += 1) dues.push(beganMs + (at * forMs) / count)
    beganMs += forMs
  }
  return dues
}

/** Lets time pass. */
export function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms))
}
