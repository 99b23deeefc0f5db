import { command, event, type Schema } from '@posthaste/contracts'

/** What is to become of a message. */
export type Fate = 'ok' | 'fails-once' | 'fails-twice' | 'dies' | 'slow'

/** What the messages of a run say. */
export interface Load {
  /** Its number within its key, or within its lane where it has none. */
  readonly n: number
  readonly key: string
  readonly fate: Fate
}

function anything<T>(): Schema<T> {
  return { '~standard': { version: 1, vendor: 'faults', validate: (value) => ({ value: value as T }) } }
}

/** In order per key. */
export const Placed = event('faults.placed', { data: anything<Load>(), key: ({ key }) => key })

/** Without a key, so that any member takes any. */
export const Noted = event('faults.noted', { data: anything<Load>() })

/** Answered with its own number. */
export const Asked = command('faults.asked', { data: anything<Load>(), reply: anything<{ readonly n: number }>() })

/** Which group handles all of it. */
export const group = 'workers'

/** Few enough to be done in seconds, and enough that failed messages wait with the engine. */
export const retry = { immediate: 0, delayed: 3, baseMs: 80 } as const

/** Deliveries that a message fails before it is handled. */
export const failures: Readonly<Record<Fate, number>> = {
  ok: 0,
  slow: 0,
  'fails-once': 1,
  'fails-twice': 2,
  dies: Number.POSITIVE_INFINITY,
}

/** Spreads the fates over the numbers, so that every key meets all of them. */
export function fateOf(n: number): Fate {
  if (n % 97 === 31) return 'dies'
  if (n % 41 === 7) return 'fails-twice'
  if (n % 17 === 5) return 'fails-once'
  return n % 50 === 9 ? 'slow' : 'ok'
}
