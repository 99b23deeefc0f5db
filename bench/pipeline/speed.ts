import process from 'node:process'
import { actionOf, type Path, type Subject } from './subject.ts'

/** Between two looks at the clock. */
const chunk = 500

/**
 * Calls one after the other until the time is over, and tells what one took of this thread, in nanoseconds. Processor
 * time, which hardly depends on what else the machine does; nothing here waits.
 */
export async function nsPerCall(subject: Subject, path: Path, budgetMs: number): Promise<number> {
  const run = subject.make(actionOf(path, subject))
  const loop = path === 'synchronous success' ? loopAtOnce : loopAwaiting
  await loop(run, chunk)
  let calls = 0
  let us = 0
  for (const before = process.threadCpuUsage(); us < budgetMs * 1_000; calls += chunk) {
    await loop(run, chunk)
    const { user, system } = process.threadCpuUsage(before)
    us = user + system
  }
  return (us * 1_000) / calls
}

/** Awaits each call, however it ends. */
export async function loopAwaiting(run: () => unknown, calls: number): Promise<void> {
  for (let i = 0; i < calls; i++) {
    try {
      await run()
    } catch {
      // A path of failures; what is measured is how it got here.
    }
  }
}

/** Does not await what is there at once. */
async function loopAtOnce(run: () => unknown, calls: number): Promise<void> {
  for (let i = 0; i < calls; i++) {
    const result = run()
    if (result instanceof Promise) await result
  }
}
