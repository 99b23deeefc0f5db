import process from 'node:process'
import { percentile } from '../measure.ts'
import type { Caller } from './contestant.ts'
import { type Order, orderOf } from './order.ts'

/** What a client is asked to do. */
export type Task =
  | { readonly kind: 'unary'; readonly inFlight: number; readonly noteBytes: number; readonly ms: number }
  | { readonly kind: 'stream'; readonly noteBytes: number; readonly ms: number }
  | { readonly kind: 'idle'; readonly connections: number }

/** How unary calls went. */
export interface UnaryFigures {
  readonly perSecond: number
  readonly p50Us: number
  readonly p99Us: number
  /** Processor time of the client for each call. */
  readonly clientUs: number
}

/** How a stream went. */
export interface StreamFigures {
  readonly perSecond: number
  /** Of the notes alone. */
  readonly bytesPerSecond: number
}

/** One call in so many is timed: looking at the clock is a part of what would be measured. */
const timedEvery = 8

/** Makes calls with so many under way, each lane the next when its last was answered. */
export async function unary(caller: Caller, task: Extract<Task, { kind: 'unary' }>): Promise<UnaryFigures> {
  const order = orderOf(task.noteBytes)
  const latenciesUs: number[] = []
  let calls = 0
  const beganAtMs = performance.now()
  const endsAtMs = beganAtMs + task.ms
  const timed = async (): Promise<boolean> => {
    const atMs = performance.now()
    if (atMs >= endsAtMs) return false
    same(await caller.echo(order), order)
    latenciesUs.push((performance.now() - atMs) * 1_000)
    return true
  }
  const lane = async (at: number): Promise<void> => {
    // Lanes are out of step, so that calls are timed all along and not in waves.
    for (let n = at; ; n++) {
      if (n % timedEvery === 0) {
        if (!(await timed())) return
      } else await caller.echo(order)
      calls++
    }
  }
  const cpu = process.cpuUsage()
  await Promise.all(Array.from({ length: task.inFlight }, (_, at) => lane(at)))
  const { user, system } = process.cpuUsage(cpu)
  const tookMs = performance.now() - beganAtMs
  return {
    perSecond: (calls / tookMs) * 1_000,
    p50Us: percentile(latenciesUs, 50),
    p99Us: percentile(latenciesUs, 99),
    clientUs: (user + system) / calls,
  }
}

function same(answer: Order, order: Order): void {
  if (answer.orderNo !== order.orderNo || answer.note.length !== order.note.length)
    throw new Error('the answer is not what was sent')
}

/** Takes a stream for some time, and leaves it. */
export async function streamed(
  { watch }: Caller,
  { noteBytes, ms }: Extract<Task, { kind: 'stream' }>,
): Promise<StreamFigures> {
  if (watch === undefined) throw new Error('there are no streams')
  let items = 0
  const beganAtMs = performance.now()
  for await (const _ of watch({ noteBytes, count: 1_000_000_000 })) {
    items++
    if (items % timedEvery === 0 && performance.now() - beganAtMs >= ms) break
  }
  const perSecond = (items / (performance.now() - beganAtMs)) * 1_000
  return { perSecond, bytesPerSecond: perSecond * noteBytes }
}
