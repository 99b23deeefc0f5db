#!/usr/bin/env node
import process from 'node:process'
import { createInterface } from 'node:readline/promises'
import { systemClock } from 'posthaste/pipeline'
import type { Out } from './io.ts'
import { readerGone, run } from './run.ts'

const enough = new AbortController()

/** The first one ends in order; the second, for which nobody listens, at once. */
function onSignal(signal: NodeJS.Signals): void {
  for (const each of signals) process.off(each, onSignal)
  enough.abort(signal)
}
const signals = ['SIGINT', 'SIGTERM'] as const
for (const signal of signals) process.on(signal, onSignal)

/** A stream of this process. Whoever reads it may go away: then there is nobody to answer, and that is no crash. */
function outOf(stream: NodeJS.WriteStream): Out {
  stream.on('error', () => enough.abort(readerGone))
  return {
    write: (text) => new Promise((resolve) => stream.write(text, () => resolve())),
    isTerminal: stream.isTTY === true,
    columns: stream.columns,
  }
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return await lines.question(question, { signal: enough.signal })
  } finally {
    lines.close()
  }
}

// Timers of the clock keep no process alive, and a command that waits for one is not done.
const working = setInterval(() => {}, 2 ** 30) // tidy-allow timer: keeps the process alive while the command works
process.exitCode = await run(process.argv.slice(2), {
  out: outOf(process.stdout),
  err: outOf(process.stderr),
  input: process.stdin,
  inputIsTerminal: process.stdin.isTTY === true,
  ask: process.stdin.isTTY === true && process.stderr.isTTY === true ? ask : undefined,
  env: process.env,
  clock: systemClock,
  signal: enough.signal,
})
clearInterval(working)
process.stdin.destroy()
