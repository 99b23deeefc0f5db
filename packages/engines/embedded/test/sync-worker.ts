/** Publishes a record and settles it, and says before and after each on its standard output, at once. */
import { writeSync } from 'node:fs'
import process from 'node:process'
import type { Delivery } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { silentLog } from 'posthaste/testing'
import { embedded } from '../src/embedded.ts'

const say = (what: string): void => void writeSync(1, `${what}\n`)
const engine = embedded({ dir: process.argv[2] ?? '' })
await engine.open({ clock: systemClock, log: silentLog, instance: 'sync', random: () => 0.5, onState() {} })
await engine.declare({
  channels: [{ name: 'c', kind: 'queue', keyed: false }],
  groups: [{ channel: 'c', group: 'g', from: 'earliest' }],
})
const delivered = Promise.withResolvers<Delivery>()
const subscription = await engine.subscribe(
  { channel: 'c', group: 'g', member: 'm' },
  { deliver: ([delivery]) => delivered.resolve(delivery!), lost() {}, closed() {} },
)

say('publishing')
const [published] = await engine.publish([{ id: '1', channel: 'c', headers: {}, body: Buffer.from('x') }])
say(published?.ok ? 'published' : 'refused')

subscription.grant(1)
const { tag } = await delivered.promise
// What the hand-over itself makes durable is not what is looked at.
await engine.publish([])
say('settling')
const [settled] = await subscription.settle([{ kind: 'ack', tag }])
say(settled?.ok ? 'settled' : 'refused')
await engine.close()
