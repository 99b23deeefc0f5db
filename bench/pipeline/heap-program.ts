import process from 'node:process'
import { allocatingFunctions, bytesPerCall, heldUnderWay } from './heap.ts'
import { countMaking } from './made.ts'
import { loopAwaiting } from './speed.ts'
import { type Library, stackName } from './subject.ts'
import { subjectsOf } from './subjects.ts'

// What the default stack of a library allocates on the path of success: `heap-program.ts <library> <calls>`.
const [library = 'ours', count = '20000'] = process.argv.slice(2)
const calls = Number(count)
const underWay = 500

const made = countMaking()
const subject = (await subjectsOf(library as Library)).find(({ name }) => name === stackName)
if (subject === undefined) throw new Error(`${library} has no ${stackName}`)

let gate: Promise<number> | undefined
let open: (value: number) => void = () => {}
const run = subject.make(() => gate ?? Promise.resolve(1))

/** Many at a time, so that what is used again is there for as many. */
async function together(): Promise<void> {
  await Promise.allSettled(Array.from({ length: 2 * underWay }, run))
}

for (let round = 0; round < 10; round++) await together()
await loopAwaiting(run, calls)
const before = made()
await loopAwaiting(run, calls)
const after = made()
const bytes = await bytesPerCall(run, calls)
const functions = await allocatingFunctions(run, calls)
gate = new Promise((resolve) => {
  open = resolve
})
const held = await heldUnderWay(underWay, {
  begin: run,
  async end() {
    open(1)
    await gate
  },
})
process.stdout.write(
  JSON.stringify({
    made: Object.fromEntries(
      Object.entries(after).map(([kind, total]) => [kind, (total - before[kind as keyof typeof before]) / calls]),
    ),
    bytes,
    functions: functions.slice(0, 25),
    held,
  }),
)
process.exit(0)
