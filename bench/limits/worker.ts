/** Does one step of the benchmark of limits in a process of its own, so that its memory is its own, and prints what it measured. */
import process from 'node:process'
import type { Figures, StepContext } from './steps.ts'
import * as steps from './steps.ts'

const [name = '', context = '{}'] = process.argv.slice(2)
const step = (steps as unknown as Readonly<Record<string, (context: StepContext) => Promise<Figures>>>)[name]
if (step === undefined) throw new Error(`there is no step '${name}'`)
process.stdout.write(`${JSON.stringify(await step(JSON.parse(context) as StepContext))}\n`)
