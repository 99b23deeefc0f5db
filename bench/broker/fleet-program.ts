import process from 'node:process'
import { createInterface } from 'node:readline'
import { Fleet, type FleetPlan } from './fleet.ts'

/** Many clients of a broker. Does what it is told, a word a line, and answers each with its figures. It ends with its input. */
const fleet = new Fleet(JSON.parse(process.argv[2] ?? '') as FleetPlan)
for await (const word of createInterface({ input: process.stdin })) {
  if (word === 'open') await fleet.open()
  if (word === 'quiet') await fleet.quiet()
  process.stdout.write(`${JSON.stringify(fleet.figures())}\n`)
}
process.exit(0)
