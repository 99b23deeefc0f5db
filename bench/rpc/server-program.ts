import process from 'node:process'
import { createInterface } from 'node:readline'
import { type ContestantName, contestants } from './contestants.ts'

// The server of one contestant: says where it is, then answers each line with what it has used. `server-program.ts <name>`.
const [name = 'ours'] = process.argv.slice(2)
const contestant = await contestants[name as ContestantName]()
const say = (value: unknown): void => void process.stdout.write(`${JSON.stringify(value)}\n`)

say({ at: await contestant.serve() })
for await (const _ of createInterface({ input: process.stdin })) {
  for (let n = 0; n < 3; n++) globalThis.gc?.()
  const { user, system } = process.cpuUsage()
  say({ cpuUs: user + system, bytes: process.memoryUsage.rss() })
}
process.exit(0)
