import type { Outcome } from '@posthaste/contracts'
import { manualClock } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster.ts'
import { ConnectionError, InDoubtError } from './errors.ts'
import type { Member } from './member.ts'
import { Range } from './range.ts'
import { Settler } from './settler.ts'
import type { Transactors } from './transactor.ts'

/** A settler whose transactions end as the test says. */
function settling(failure: Error | undefined) {
  const position = { offset: 0, done: new Uint8Array(0), addressedFrom: 0 }
  const decode = () => ({ record: { id: '', channel: 'c', headers: {}, body: new Uint8Array(0) }, internal: {} })
  const range = new Range(0, { position, orders: new Map() }, { group: 'g', decode })
  const ranges = new Map([[0, range]])
  let [runs, fences] = [0, 0]
  const member = { id: 'm', epoch: 1, instanceId: undefined, fence: () => (fences += 1) } as unknown as Member
  const transactors = {
    async run() {
      runs += 1
      if (failure !== undefined) throw failure
    },
  } as unknown as Transactors
  const cluster = { host: { clock: manualClock() }, settings: { timeoutMs: 1_000 } } as unknown as Cluster
  const settler = new Settler(cluster, { groupId: 'g', topic: 'c', member, ranges, transactors })
  const record = { topic: 'c', partition: 0, record: { key: 'k', value: undefined, headers: [] }, bytes: 1 }
  const settle = () =>
    new Promise<Outcome>((conclude) => settler.add({ range, offset: 0, write: () => [record], conclude }))
  return { settle, range, runs: () => runs, fences: () => fences }
}

describe('the settler', () => {
  it('has what is published with a settlement done with it', async () => {
    const { settle, range, runs } = settling(undefined)
    expect(await settle()).toEqual({ ok: true })
    expect(range.window.watermark).toBe(1)
    expect(runs()).toBe(1)
  })

  it('loses what nobody knows the end of, so that it is not published again before it is known', async () => {
    const { settle, range, runs, fences } = settling(new InDoubtError('the end was not answered'))
    expect(await settle()).toMatchObject({ ok: false, error: { code: 'DELIVERY_LOST' } })
    expect(range.window.watermark).toBe(0)
    expect([runs(), fences()]).toEqual([1, 1])
  })

  it('leaves it to the caller to try again what certainly does not stand', async () => {
    const { settle, fences } = settling(new ConnectionError('it was refused'))
    expect(await settle()).toMatchObject({ ok: false, error: { code: 'UNAVAILABLE', verdict: 'retryable' } })
    expect(fences()).toBe(0)
  })
})
