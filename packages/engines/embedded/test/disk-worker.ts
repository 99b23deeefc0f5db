/**
 * A process with an engine on a disk that fails: publishers and settlers that go on until they are refused, and what they
 * were told. Driven by messages: `fill`, `resume`, `verify`.
 */
import process from 'node:process'
import type { Delivery, EngineSubscription, Outcome, OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { silentLog } from 'posthaste/testing'
import { embedded } from '../src/embedded.ts'

const publishers = 8
const states: string[] = []
const engine = embedded({ dir: process.argv[2] ?? '' })
const onState = (state: string): void => void states.push(state)
await engine.open({ clock: systemClock, log: silentLog, instance: 'disk', random: () => 0.5, onState })
await engine.declare({
  channels: [{ name: 'c', kind: 'queue', keyed: false }],
  groups: [{ channel: 'c', group: 'g', from: 'earliest' }],
})

const confirmed = new Set<string>()
const settled = new Set<string>()
/** Settlements that were refused: they may stand or not. */
const open = new Set<string>()
const refusals: { code: string; remedy: string }[] = []
let count = 0

function refused(error: PosthasteError): void {
  refusals.push({ code: error.code, remedy: error.remedy })
}

async function publisher(): Promise<void> {
  for (;;) {
    const records: OutgoingRecord[] = []
    for (let i = 0; i < 10; i++)
      records.push({ id: `${count++}`, channel: 'c', headers: {}, body: Buffer.alloc(1_000) })
    const outcomes = await engine.publish(records)
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.ok) confirmed.add(records[index]!.id)
      else refused(outcome.error)
    }
    if (outcomes.some((outcome) => !outcome.ok)) return
  }
}

/** Settles one of two, so that the file grows. */
async function consume(
  decide: (delivery: Delivery) => boolean,
): Promise<{ ended: Promise<void>; stop: () => Promise<void> }> {
  const ended = Promise.withResolvers<void>()
  let subscription: EngineSubscription | undefined
  const settle = async (batch: readonly Delivery[]): Promise<void> => {
    const acked = batch.filter(decide)
    const outcomes: readonly Outcome[] = await subscription!.settle(acked.map(({ tag }) => ({ kind: 'ack', tag })))
    for (const [index, outcome] of outcomes.entries()) {
      if (outcome.ok) settled.add(acked[index]!.record.id)
      else open.add(acked[index]!.record.id)
      if (!outcome.ok && outcome.error.code !== 'DELIVERY_LOST') refused(outcome.error)
    }
    subscription!.grant(batch.length)
  }
  subscription = await engine.subscribe(
    { channel: 'c', group: 'g', member: 'm' },
    { deliver: (batch) => void settle(batch), lost() {}, closed: () => ended.resolve() },
  )
  subscription.grant(64)
  return { ended: ended.promise, stop: () => subscription.stop() }
}

async function fill(): Promise<unknown> {
  const consumer = await consume(({ record }) => Number(record.id) % 2 === 0)
  await Promise.all([...Array.from({ length: publishers }, publisher), consumer.ended])
  const told = refusals.splice(0)
  // From here on everybody is refused at once.
  const [after] = await engine.publish([{ id: 'after', channel: 'c', headers: {}, body: Buffer.alloc(1) }])
  return {
    confirmed: confirmed.size,
    codes: [...new Set(told.map(({ code }) => code))],
    remedies: [...new Set(told.map(({ remedy }) => remedy))],
    after: after?.ok === false ? after.error.code : 'ok',
    states: states.splice(0),
  }
}

async function resume(): Promise<unknown> {
  try {
    await engine.resume()
    return { states: states.splice(0) }
  } catch (error) {
    return { code: (error as PosthasteError).code }
  }
}

/** Takes all there is: what was confirmed and not settled must be there, what was settled must not. */
async function verify(): Promise<unknown> {
  const [outcome] = await engine.publish([{ id: 'last', channel: 'c', headers: {}, body: Buffer.alloc(1) }])
  const seen = new Set<string>()
  const isLast = Promise.withResolvers<void>()
  const consumer = await consume(({ record }) => {
    seen.add(record.id)
    if (record.id === 'last') isLast.resolve()
    return false
  })
  await isLast.promise
  await consumer.stop()
  await engine.close()
  const missing = [...confirmed].filter((id) => !seen.has(id) && !settled.has(id) && !open.has(id))
  return { published: outcome?.ok, missing: missing.length, again: [...settled].filter((id) => seen.has(id)).length }
}

const commands: Readonly<Record<string, () => Promise<unknown>>> = { fill, resume, verify }
process.on('message', async (command: string) => {
  process.send?.(await commands[command]?.())
})
process.send?.('ready')
