import assert from 'node:assert/strict'
import type { Outcome, OutgoingRecord, Settlement } from '@posthaste/contracts'
import type { ConformanceCase } from '../case.ts'
import type { TestChannel } from '../channel.ts'
import type { CaseContext } from '../context.ts'
import { expectRejection, expectSame, expectSameSet } from '../expect.ts'
import type { EngineNetwork } from '../harness.ts'
import type { Member } from '../member.ts'
import type { Received } from '../witness.ts'

/** The network of the case, whole again before its engine is closed. */
function networkOf(context: CaseContext): EngineNetwork {
  const { network } = context.underTest
  assert.ok(network, 'the case needs a network')
  context.defer(async () => network.heal())
  return network
}

/** Ends every connection, and lets no new one come about. */
function outage(network: EngineNetwork): void {
  network.refuse()
  network.cut()
}

/** Publishes until every record is confirmed, again under its id where it is not. @returns how often it was tried again */
async function publishUntilConfirmed(context: CaseContext, channel: TestChannel, records: readonly OutgoingRecord[]) {
  let again = 0
  let left = records
  for (let tries = 0; left.length > 0; tries += 1) {
    assert.ok(tries < triesMax, `${left.length} records are not confirmed after ${tries} tries`)
    const outcomes: readonly Outcome[] = await channel.tryPublish(...left)
    left = left.filter((_, at) => !outcomes[at]?.ok)
    again += left.length
    if (left.length > 0) await context.reach(context.nowMs() + restMs)
  }
  return again
}

const triesMax = 200
const restMs = 50

/** Settles until the engine says that it is done, or that the delivery is somebody else's. */
async function settleForGood(context: CaseContext, member: Member, settlement: Settlement): Promise<boolean> {
  for (let tries = 0; tries < triesMax; tries += 1) {
    const [outcome] = await context.within(member.settle([settlement]), 'a settlement')
    if (outcome?.ok) return true
    if (outcome?.error.code === 'DELIVERY_LOST') return false
    await context.reach(context.nowMs() + restMs)
  }
  throw new Error(`a settlement was not answered for good in ${triesMax} tries`)
}

/** Acknowledges what comes, whatever happens to the connection; more credit than anything needs. */
async function consumer(context: CaseContext, channel: TestChannel, credit: number) {
  const done: Received[] = []
  const lost: Received[] = []
  let ended = Promise.resolve()
  const joining: Promise<Member> = channel.join('g', {
    credit,
    watch(received) {
      ended = ended.then(async () => {
        const member = await joining
        if (member.ended) return
        const isDone = await settleForGood(context, member, { kind: 'ack', tag: received.tag })
        ;(isDone ? done : lost).push(received)
      })
      ended.catch(() => {})
    },
  })
  const member = await joining
  const complete = (records: readonly OutgoingRecord[]) => {
    const missing = () => {
      // One that is lost while its acknowledgement is on the way may be done all the same.
      const ids = new Set([...done, ...lost].map(({ record }) => record.id))
      return records.filter(({ id }) => !ids.has(id)).length
    }
    return context.until(
      () => missing() === 0,
      () => `${missing()} of ${records.length} records`,
    )
  }
  return { member, done, lost, complete, idle: () => ended }
}

/** First deliveries of each key come in the order of publishing, whatever comes again. */
function expectFirstInOrder(received: readonly Received[], sent: readonly OutgoingRecord[]): void {
  const place = new Map(sent.map(({ id }, at) => [id, at]))
  const highest = new Map<string, number>()
  const seen = new Set<string>()
  for (const { record } of received) {
    if (record.key === undefined || seen.has(record.id)) continue
    seen.add(record.id)
    const at = place.get(record.id) ?? -1
    assert.ok(at > (highest.get(record.key) ?? -1), `${record.id} came after a later one of ${record.key}`)
    highest.set(record.key, at)
  }
}

/** What becomes of what a member has while there is no connection. */
async function loseDeliveries(context: CaseContext, channel: TestChannel): Promise<void> {
  const network = networkOf(context)
  const sent = await channel.publish(...channel.records(5, (at) => ({ key: `k${at}` })))
  const member = await channel.join('g', { credit: 1_000 })
  const received = await member.take(5)
  outage(network)
  await context.reach(context.nowMs() + outageMs)
  network.heal()
  await publishUntilConfirmed(context, channel, [channel.record({ key: 'after' })])
  const own: string[] = []
  for (const { tag, record } of received) {
    if (await settleForGood(context, member, { kind: 'ack', tag })) own.push(record.id)
  }
  for (const record of sent) {
    if (own.includes(record.id)) continue
    const again = await member.receive(record)
    // A server misses a member that was not connected; to the next reader of a key range it is the same process.
    if (context.hasRanges(channel.spec)) assert.equal(again.attempt, 1, `the attempt of ${record.id}`)
    else assert.ok(again.attempt > 1 || context.capabilities.attempts !== 'exact', `the attempt of ${record.id}`)
    await settleForGood(context, member, { kind: 'ack', tag: again.tag })
    context.count('deliveries lost by an outage')
  }
  context.count('deliveries kept over an outage', own.length)
  await member.stop()
}

/** What a network does to an engine whose server is elsewhere. */
export const faults: readonly ConformanceCase[] = [
  {
    id: 'faults/publish-answered',
    title: 'what is published while there is no connection is answered, and what was confirmed is delivered',
    needs: ['network'],
    async run(context) {
      const network = networkOf(context)
      const channel = await context.channel()
      await channel.publish(channel.record())
      outage(network)
      const records = channel.records(20, (at) => ({ key: `k${at % 3}` }))
      const answers = records.map((record) => context.begun(channel.tryPublish(record)))
      await context.reach(context.nowMs() + outageMs)
      network.heal()
      const outcomes = (await Promise.all(answers)).flat()
      const confirmed = records.filter((_, at) => outcomes[at]?.ok)
      for (const outcome of outcomes) if (!outcome.ok) assert.equal(outcome.error.code, 'UNAVAILABLE')
      await publishUntilConfirmed(context, channel, [channel.record()])
      const { complete } = await consumer(context, channel, 1_000)
      await complete(confirmed)
    },
  },
  {
    id: 'faults/cut-under-load',
    title: 'connections that are cut again and again under load lose nothing that was confirmed, nor the order of keys',
    needs: ['network'],
    async run(context) {
      const network = networkOf(context)
      const channel = await context.channel()
      const sent = channel.records(context.scaled(600), (at) => ({ key: `k${at % 9}` }))
      const reader = await consumer(context, channel, 10_000)
      let again = 0
      for (let at = 0; at < sent.length; at += batch) {
        const publishing = publishUntilConfirmed(context, channel, sent.slice(at, at + batch))
        if ((at / batch) % 5 === 2) network.cut()
        again += await publishing
      }
      await reader.complete(sent)
      await reader.idle()
      if (channel.spec.keyed && again === 0) expectFirstInOrder(reader.member.received, sent)
      context.count('records over cuts', sent.length)
      context.count('duplicates after a cut', reader.done.length + reader.lost.length - sent.length)
    },
  },
  {
    id: 'faults/resumes',
    title: 'a subscription goes on by itself after every way in which a network fails',
    needs: ['network'],
    async run(context) {
      const network = networkOf(context)
      const channel = await context.channel()
      const reader = await consumer(context, channel, 10_000)
      const ways: Readonly<Record<string, () => Promise<void> | void>> = {
        cut: () => network.cut(),
        'half-close': () => network.halfClose('server'),
        async outage() {
          outage(network)
          await context.reach(context.nowMs() + outageMs)
        },
        async 'black hole'() {
          network.blackHole()
          await context.reach(context.nowMs() + outageMs)
        },
        async 'one-way black hole'() {
          network.blackHole('server')
          await context.reach(context.nowMs() + outageMs)
        },
      }
      for (const fail of Object.values(ways)) {
        const before = channel.records(3, { key: 'k' })
        await publishUntilConfirmed(context, channel, before)
        await fail()
        network.heal()
        const after = channel.records(3, { key: 'k' })
        await publishUntilConfirmed(context, channel, after)
        await reader.complete([...before, ...after])
      }
    },
  },
  {
    id: 'faults/slow',
    title: 'a slow network delays, and changes nothing else',
    needs: ['network'],
    async run(context) {
      const network = networkOf(context)
      const channel = await context.channel()
      const member = await channel.join('g', { credit: 10 })
      network.delay(slowMs)
      const sent = await channel.publish(...channel.records(10, { key: 'k' }))
      const received = await member.take(10)
      expectSame(received, sent)
      await member.ackAll(received)
      network.heal()
      await context.lull()
      assert.deepEqual(member.waiting, [])
    },
  },
  {
    id: 'faults/lost-told',
    title: 'what a member has when its connection is cut is its own still, or it is told and it comes again',
    needs: ['network'],
    async run(context) {
      for (const keyed of [true, false]) await loseDeliveries(context, await context.channel({ keyed }))
    },
  },
  {
    id: 'faults/settle-answered',
    title: 'settlements during an outage are answered, and what was acknowledged does not come again',
    needs: ['network'],
    async run(context) {
      const network = networkOf(context)
      const channel = await context.channel()
      const sent = await channel.publish(...channel.records(10, (at) => ({ key: `k${at}` })))
      const member = await channel.join('g', { credit: 1_000 })
      const received = await member.take(10)
      outage(network)
      const settling = received.map(({ tag }) => context.begun(settleForGood(context, member, { kind: 'ack', tag })))
      await context.reach(context.nowMs() + outageMs)
      network.heal()
      const isDone = await Promise.all(settling)
      const last = channel.record({ key: 'last' })
      await publishUntilConfirmed(context, channel, [last])
      await context.until(
        () => member.waiting.some(({ record }) => record.id === last.id),
        () => 'the last record',
      )
      await context.lull()
      const done = new Set(sent.filter((_, at) => isDone[at]).map(({ id }) => id))
      assert.deepEqual(
        member.waiting.filter(({ record }) => done.has(record.id)),
        [],
        'what is done stays done',
      )
    },
  },
  {
    id: 'faults/close',
    title: 'a close during an outage ends, and answers everything that waits',
    needs: ['network'],
    async run(context) {
      const network = networkOf(context)
      const channel = await context.channel()
      await channel.publish(...channel.records(3))
      const member = await channel.join('g', { credit: 10 })
      const [received] = await member.take(3)
      assert.ok(received)
      outage(network)
      const publishing = context.begun(context.engine.publish([channel.record()]))
      const settling = context.begun(member.settle([{ kind: 'ack', tag: received.tag }]))
      member.leaving()
      await context.within(context.engine.close(), 'close during an outage')
      await context.within(Promise.allSettled([publishing, settling]), 'what waited')
      await expectRejection(() => context.engine.publish([channel.record()]), 'ENGINE_CLOSED')
      network.heal()
      await context.restart()
      await channel.declare(['g'])
      const again = await consumer(context, channel, 100)
      await context.until(
        () => again.done.length >= 2,
        () => 'what was not settled',
      )
    },
  },
  {
    id: 'faults/restart-after',
    title: 'what was confirmed before, between and after outages survives a restart of the engine, too',
    needs: ['network'],
    async run(context) {
      const network = networkOf(context)
      const channel = await context.channel()
      const sent: OutgoingRecord[] = []
      for (let round = 0; round < 3; round += 1) {
        const records = channel.records(20, (at) => ({ key: `k${at % 4}` }))
        await publishUntilConfirmed(context, channel, records)
        sent.push(...records)
        network.cut()
      }
      await context.restart()
      await channel.declare(['g'])
      const { done, complete } = await consumer(context, channel, 1_000)
      await complete(sent)
      expectSameSet(
        done.filter(({ record }, at) => done.findIndex((each) => each.record.id === record.id) === at),
        sent,
      )
    },
  },
]

/** How long a connection is away, in milliseconds: longer than a first attempt to come back takes. */
const outageMs = 700
const slowMs = 100
const batch = 20
