/**
 * A process that consumes as the core does: a record that comes with more attempts than it may have is a dead letter, one
 * that is poison kills the process, every other one takes a while. It writes down what it is given before it does anything.
 * When nothing is left it closes and ends.
 */
import { appendFileSync } from 'node:fs'
import type { Delivery } from '@posthaste/contracts'
import { opened } from './rig.ts'

const attemptsMax = 6
const [dir = '', journal = ''] = process.argv.slice(2)
const { engine } = await opened(dir)

async function handle({ tag, record, attempt }: Delivery): Promise<void> {
  const isDead = attempt > attemptsMax
  appendFileSync(journal, `${isDead ? 'dead' : 'given'} ${record.id} ${attempt}\n`)
  await new Promise((resolve) => setTimeout(resolve, 10))
  if (record.id === 'poison' && !isDead) process.kill(process.pid, 'SIGKILL')
  await new Promise((resolve) => setTimeout(resolve, 10))
  await subscription.settle([{ kind: 'ack', tag }])
  appendFileSync(journal, `done ${record.id} ${attempt}\n`)
  subscription.grant(1)
}

const subscription = await engine.subscribe(
  { channel: 'c', group: 'g', member: 'worker' },
  { deliver: (batch) => void batch.map(handle), lost() {}, closed() {} },
)
subscription.grant(256)
while ((await engine.lag.lag('c', 'g')).ready > 0) await new Promise((resolve) => setTimeout(resolve, 20))
await engine.close()
