import { manualClock, recordingLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster.ts'
import { Fetcher } from './fetcher.ts'
import { Range } from './range.ts'

/** A server that never answers. */
function started() {
  const clock = manualClock()
  let requests = 0
  const lane = {
    send() {
      requests += 1
      return new Promise(() => {})
    },
  }
  const cluster = {
    host: { clock, log: recordingLog(), random: () => 0.5 },
    topicIfKnown: () => ({ id: 't', leaders: [1, 1, 1, 1] }),
    lane: () => lane,
    end() {},
  } as unknown as Cluster
  const ranges = new Map<number, Range>()
  const fetcher = new Fetcher(cluster, { topic: 't', purpose: 'fetch', ranges }, () => {})
  const load = (partition: number) => {
    const position = { offset: 0, done: new Uint8Array(0), addressedFrom: 0 }
    const decode = () => ({ record: { id: '', channel: 'c', headers: {}, body: new Uint8Array(0) }, internal: {} })
    ranges.set(partition, new Range(partition, { position, orders: new Map() }, { group: 'g', decode }))
  }
  return { clock, fetcher, load, requests: () => requests }
}

describe('the fetcher', () => {
  it('asks for ranges that come one after the other in one request, so that none waits for another’s', async () => {
    const { clock, fetcher, load, requests } = started()
    for (const partition of [0, 1, 2, 3]) {
      load(partition)
      fetcher.wakeSoon()
      await clock.advance(1)
    }
    expect(requests()).toBe(0)
    await clock.advance(100)
    expect(requests()).toBe(1)
    fetcher.wake()
    expect(requests()).toBe(1)
  })

  it('asks for a range that comes later without waiting for the request that is under way', async () => {
    const { clock, fetcher, load, requests } = started()
    for (const partition of [0, 1]) {
      load(partition)
      fetcher.wakeSoon()
      await clock.advance(100)
    }
    expect(requests()).toBe(2)
  })

  it('asks for nothing once it is stopped', async () => {
    const { clock, fetcher, load, requests } = started()
    load(0)
    fetcher.wakeSoon()
    fetcher.stop()
    await clock.advance(100)
    expect(requests()).toBe(0)
  })
})
