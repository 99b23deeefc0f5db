import process from 'node:process'
import { setTimeout as sleep } from 'node:timers/promises'
import type { Cost } from '../measure.ts'
import type { Opened } from './contestant.ts'
import { Flow } from './flow.ts'

/** What is measured. */
export interface Task {
  /** `publish`: until it is confirmed. `through`: until its handler has been entered, and it is being acknowledged. */
  readonly work: 'publish' | 'through'
  readonly window: number
  readonly warmUpMs: number
  readonly durationMs: number
  /** How long the last messages may take to be handled. Default: half a minute. */
  readonly catchUpMsMax?: number | undefined
}

/**
 * Puts a contestant under load, and reads its counters at two moments of a steady flow. What is unacknowledged is bounded
 * by the window, so acknowledgements keep step with what is handled.
 *
 * @throws Error when a message was lost, or not handled in time
 */
export async function measured(
  opened: Opened,
  { work, window, warmUpMs, durationMs, catchUpMsMax = 30_000 }: Task,
): Promise<Cost> {
  const flow = new Flow(window, work === 'through')
  if (work === 'through') await opened.consume(flow.less)
  const publishing = opened.publish(flow)
  // A failure of it ends the measurement now, not after it.
  const failed = publishing.then(() => new Promise<never>(() => {}))
  const read = () => ({
    count: work === 'through' ? flow.handled : flow.confirmed,
    atMs: performance.now(),
    cpu: process.threadCpuUsage(),
  })
  await Promise.race([sleep(warmUpMs), failed])
  const before = read()
  await Promise.race([sleep(durationMs), failed])
  const after = read()
  flow.isOver = true
  await publishing
  await allHandled(flow, catchUpMsMax)
  const count = after.count - before.count
  const cpuUs = after.cpu.user + after.cpu.system - before.cpu.user - before.cpu.system
  return { perSecond: (count / (after.atMs - before.atMs)) * 1_000, cpuUs: cpuUs / count }
}

async function allHandled(flow: Flow, msMax: number): Promise<void> {
  const endsAtMs = performance.now() + msMax
  while (flow.behind > 0) {
    if (performance.now() > endsAtMs) throw new Error(`${flow.behind} of ${flow.confirmed} messages were not handled`)
    await sleep(1)
  }
}
