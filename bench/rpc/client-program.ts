import process from 'node:process'
import { createInterface } from 'node:readline'
import type { Caller, Contestant } from './contestant.ts'
import { type ContestantName, contestants } from './contestants.ts'
import { streamed, type Task, unary } from './load.ts'
import { orderOf } from './order.ts'

// The client of one contestant: does what each line says, and answers with its figures. `client-program.ts <name> <where>`.
const [name = 'ours', at = ''] = process.argv.slice(2)
const contestant = await contestants[name as ContestantName]()
const caller = await contestant.connect(at)
const others: Caller[] = []
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

for await (const line of createInterface({ input: process.stdin })) say(await done(JSON.parse(line) as Task))
process.exit(0)

async function done(task: Task): Promise<unknown> {
  if (task.kind === 'unary') return unary(caller, task)
  if (task.kind === 'stream') return streamed(caller, task)
  await connectMany(contestant, task.connections)
  return { connections: others.length }
}

/** Connections that have made one call each, and stay. */
async function connectMany({ connect }: Contestant, connections: number): Promise<void> {
  const lane = async (): Promise<void> => {
    while (others.length < connections) {
      const other = await connect(at)
      others.push(other)
      await other.echo(orderOf(0))
    }
  }
  await Promise.all(Array.from({ length: 50 }, lane))
}
