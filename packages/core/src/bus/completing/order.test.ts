import { type AckSettlement, type Delivery, keyRangeOf, type ReleaseSettlement } from '@posthaste/contracts'
import { describe, expect, it } from 'vitest'
import { PartitionedBroker } from '../../../test/bus/partitioned/broker.ts'
import { silentLog } from '../../pipeline/log.ts'
import { manualClock } from '../../testing/manual-clock.ts'
import { complete } from './complete.ts'

const laterMs = 3_600_000

type Untagged = Omit<AckSettlement, 'tag'> | Omit<ReleaseSettlement, 'tag'>

/** Keys of one key range of two, that which goes to the second member. */
const keys = ['a', 'b', 'c', 'd', 'e', 'f', 'g'].filter((key) => keyRangeOf(key, 2) === 1)

/** Members in processes of their own, which are told nothing and granted nothing but what a test has them be. */
async function started(keyRanges: number) {
  const clock = manualClock()
  const broker = new PartitionedBroker({ clock, keyRanges })
  await broker.opened()
  const channels = [{ name: 'c', kind: 'log' as const, keyed: true }]
  await broker.storage.declare({ channels, groups: [{ channel: 'c', group: 'g', from: 'next' }] })
  const publish = async (...ids: readonly string[]) => {
    const body = new Uint8Array(1)
    await broker.storage.publish(ids.map((id) => ({ id, channel: 'c', key: id.slice(0, 1), headers: {}, body })))
  }
  const join = async (credit: number) => {
    const raw = broker.connect()
    const engine = complete(raw)
    await engine.open({ clock, log: silentLog, instance: 'test', random: () => 0.5, onState() {} })
    const seen: Delivery[] = []
    const sink = { deliver: (batch: readonly Delivery[]) => void seen.push(...batch), lost() {}, closed() {} }
    const member = await engine.subscribe({ channel: 'c', group: 'g', member: 'm' }, sink)
    member.grant(credit)
    await clock.advance(0)
    const settle = async (settlement: Untagged, at = -1) => {
      await member.settle([{ ...settlement, tag: seen.at(at)!.tag }])
      await clock.advance(0)
    }
    const release = (visibleAtMs: number) => settle({ kind: 'release', countsAttempt: true, visibleAtMs })
    const stop = () => member.stop()
    return { seen: () => seen.map(({ record, attempt }) => `${record.id}#${attempt}`), settle, release, stop, raw }
  }
  return { clock, broker, publish, join }
}

describe('what waits until notes are answered goes on when they are', () => {
  it('the next that has ended two processes, when the one before was given back until later', async () => {
    const { clock, broker, publish, join } = await started(1)
    await publish('a1', 'b1')
    for (let crashes = 0; crashes < 2; crashes += 1) {
      broker.crash((await join(2)).raw)
      await clock.advance(1)
    }
    const { seen, release } = await join(2)
    expect(seen()).toEqual(['a1#3'])
    await release(clock.nowMs() + laterMs)
    expect(seen()).toEqual(['a1#3', 'b1#3'])
  })

  it('a key range that is to be given up, when what is left of it was given back until later', async () => {
    const { clock, publish, join } = await started(2)
    const { seen, release } = await join(2)
    await publish(`${keys[0]}1`)
    await clock.advance(0)
    await release(clock.nowMs() + 1)
    await clock.advance(1)
    expect(seen()).toEqual([`${keys[0]}1#1`, `${keys[0]}1#2`])
    const other = await join(2)
    await release(clock.nowMs() + laterMs)
    await publish(`${keys[1]}1`)
    await clock.advance(0)
    expect(other.seen()).toEqual([`${keys[1]}1#1`])
  })
})

describe('the order of a key', () => {
  it('is kept where one record is handed back, and a later one parked, while their range is given up', async () => {
    const { publish, join, clock } = await started(2)
    const [first, second, third, fourth] = [1, 2, 3, 4].map((at) => `${keys[0]}${at}`)
    const { settle, stop } = await join(4)
    await publish(first!, second!, third!, fourth!)
    await clock.advance(0)
    const other = await join(0)
    await settle({ kind: 'release', countsAttempt: false }, 0)
    await settle({ kind: 'release', countsAttempt: false }, 1)
    await settle({ kind: 'release', countsAttempt: true, holdKey: true }, 2)
    await stop()
    await other.stop()
    expect((await join(4)).seen()).toEqual([`${first}#1`, `${second}#1`, `${third}#2`])
  })

  it('is kept where what must run alone stands behind what fails once more', async () => {
    const { clock, broker, publish, join } = await started(1)
    await publish('a1')
    const before = await join(1)
    await before.settle({ kind: 'release', countsAttempt: true, visibleAtMs: clock.nowMs() + laterMs })
    await before.stop()
    await publish('a2')
    for (let crashes = 0; crashes < 2; crashes += 1) {
      const reader = await join(2)
      expect(reader.seen()).toEqual([`a2#${crashes + 1}`])
      broker.crash(reader.raw)
      await clock.advance(1)
    }
    await clock.advance(laterMs)
    const { seen, settle } = await join(5)
    expect(seen()).toEqual(['a1#2'])
    await settle({ kind: 'release', countsAttempt: true, holdKey: true, visibleAtMs: clock.nowMs() + laterMs })
    expect(seen()).toEqual(['a1#2'])
    await clock.advance(laterMs)
    expect(seen()).toEqual(['a1#2', 'a1#3'])
    await settle({ kind: 'ack' })
    expect(seen()).toEqual(['a1#2', 'a1#3', 'a2#3'])
  })
})
