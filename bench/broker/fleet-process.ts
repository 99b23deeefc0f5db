import { spawn } from 'node:child_process'
import { once } from 'node:events'
import { join } from 'node:path'
import process from 'node:process'
import { createInterface } from 'node:readline'
import type { FleetFigures, FleetPlan } from './fleet.ts'

const program = join(import.meta.dirname, 'fleet-program.ts')

/** A fleet of clients in a process of its own. */
export interface FleetProcess {
  /** Has it open its clients, be quiet, or only tell its figures. One at a time. */
  ask(word: 'open' | 'quiet' | 'figures'): Promise<FleetFigures>
  stop(): Promise<void>
}

/** Starts a process that has no clients yet. */
export function startFleet(plan: FleetPlan): FleetProcess {
  const args = ['--conditions=source', program, JSON.stringify(plan)]
  const child = spawn(process.execPath, args, { stdio: ['pipe', 'pipe', 'inherit'] })
  const ended = once(child, 'exit')
  const lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]()
  return {
    async ask(word) {
      child.stdin.write(`${word}\n`)
      const { value, done } = await lines.next()
      if (done) throw new Error('the clients have ended')
      return JSON.parse(value as string) as FleetFigures
    },
    async stop() {
      child.stdin.end()
      await ended
    },
  }
}
