import process from 'node:process'
import { createInterface } from 'node:readline'
import { type ContestantName, contestants } from './contestants.ts'

// The server of one contestant: says where it is, then answers each line with what it has used; `memory` has it collect
// its garbage first. `server-program.ts <name>`.
const [name = 'ours'] = process.argv.slice(2)
const contestant = await contestants[name as ContestantName]()
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

say({ at: await contestant.serve() })
for await (const line of createInterface({ input: process.stdin })) {
  const { user, system } = process.cpuUsage()
  if (line.includes('memory')) for (let n = 0; n < 3; n++) globalThis.gc?.()
  say({ cpuUs: user + system, bytes: process.memoryUsage.rss() })
}
process.exit(0)
