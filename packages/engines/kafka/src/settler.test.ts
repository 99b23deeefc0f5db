import type { Outcome } from '@posthaste/contracts'
import { systemClock } from 'posthaste/pipeline'
import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster.ts'
import { ConnectionError, InDoubtError, KafkaError, kafkaCodes } from './errors.ts'
import type { Member } from './member.ts'
import { Range } from './range.ts'
import { Settler } from './settler.ts'
import type { Transactors } from './transactor.ts'

/** A settler of two ranges whose transactions end as the test says. */
function settling(run: (ranges: Map<number, Range>) => Promise<void>) {
  const position = { offset: 0, done: new Uint8Array(0), addressedFrom: 0 }
  const decode = () => ({ record: { id: '', channel: 'c', headers: {}, body: new Uint8Array(0) }, internal: {} })
  const newRange = (at: number) => new Range(at, { position, orders: new Map() }, { group: 'g', decode })
  const all = [newRange(0), newRange(1)] as const
  const ranges = new Map<number, Range>(all.map((each) => [each.partition, each]))
  let [runs, fences] = [0, 0]
  const member = { id: 'm', epoch: 1, instanceId: undefined, fence: () => (fences += 1), beat: async () => {} }
  const transactors = {
    run() {
      runs += 1
      return run(ranges)
    },
  } as unknown as Transactors
  const cluster = { host: { clock: systemClock }, settings: { timeoutMs: 1_000 } } as unknown as Cluster
  const target = { groupId: 'g', topic: 'c', member: member as unknown as Member, ranges, transactors }
  const settler = new Settler(cluster, target)
  const record = {
    topic: 'c',
    partition: 0,
    record: { key: 'k', value: undefined, headers: [], id: undefined },
    bytes: 1,
  }
  const settle = (range: Range = all[0]) =>
    new Promise<Outcome>((conclude) => settler.add({ range, offset: 0, write: () => [record], conclude }))
  return { settle, all, runs: () => runs, fences: () => fences }
}

describe('the settler', () => {
  it('has what is published with a settlement done with it', async () => {
    const { settle, all, runs } = settling(async () => {})
    expect(await settle()).toEqual({ ok: true })
    expect(all[0].window.watermark).toBe(1)
    expect(runs()).toBe(1)
  })

  it('loses what nobody knows the end of, so that it is not published again before it is known', async () => {
    const { settle, all, runs, fences } = settling(() => Promise.reject(new InDoubtError('the end was not answered')))
    expect(await settle()).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
    expect(all[0].window.watermark).toBe(0)
    expect([runs(), fences()]).toEqual([1, 1])
  })

  it('leaves it to the caller to try again what certainly does not stand', async () => {
    const { settle, fences } = settling(() => Promise.reject(new ConnectionError('it was refused')))
    expect(await settle()).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', verdict: 'retryable' } })
    expect(fences()).toBe(0)
  })

  it('settles what one range has also where another went that was settled with it', async () => {
    const { settle, all, runs } = settling(async (ranges) => {
      if (!ranges.delete(1)) return
      throw new KafkaError(kafkaCodes.staleMemberEpoch, 'position of g')
    })
    const [kept, gone] = await Promise.all([settle(all[0]), settle(all[1])])
    expect(kept).toEqual({ ok: true })
    expect(gone).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
    expect(runs()).toBe(2)
  })
})
