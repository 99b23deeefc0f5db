/**
 * A process that publishes without an end, with everything that engines add: by priority, under ids that it repeats, by
 * prepared records that it commits or takes back. It writes down what is about to be decided, and then what was confirmed.
 */
import { appendFileSync } from 'node:fs'
import { record } from './records.ts'
import { opened } from './rig.ts'

const [dir = '', journal = '', from = '0'] = process.argv.slice(2)
const { engine } = await opened(dir)
await engine.declare({
  channels: [{ name: 'c', kind: 'queue', keyed: false, priorities: 3, deduplicateForMs: 3_600_000 }],
  groups: [{ channel: 'c', group: 'g', from: 'earliest' }],
})

function note(what: string, id: string): void {
  appendFileSync(journal, `${what} ${id}\n`)
}

async function one(number: number): Promise<void> {
  const id = String(number)
  const message = record(id, { priority: number % 4 })
  const name = { channel: 'c', id }
  if (number % 3 === 0) {
    note('published', id)
    const outcomes = await engine.publish([message, message])
    if (outcomes.every(({ ok }) => ok)) note('confirmed', id)
    return
  }
  if (!(await engine.preparing.prepare(message, 0)).ok) return
  note('prepared', id)
  const isCommitted = number % 3 === 1
  note(isCommitted ? 'committing' : 'taking-back', id)
  const [outcome] = await (isCommitted ? engine.preparing.commit([name]) : engine.preparing.rollback([name]))
  if (outcome?.ok) note(isCommitted ? 'committed' : 'taken-back', id)
}

for (let number = Number(from); ; number += 20)
  await Promise.all(Array.from({ length: 20 }, (_, index) => one(number + index)))
