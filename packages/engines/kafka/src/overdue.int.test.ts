import { initProducerIdV5 } from '@platformatic/kafka'
import { systemClock } from 'posthaste/pipeline'
import { recordingLog } from 'posthaste/testing'
import { afterEach, beforeEach, describe, expect, it } from 'vitest'
import { howToStart, quick, server } from '../test/installation.ts'
import { declare, Rig, records, until, Witness } from '../test/rig.ts'
import { Cluster } from './cluster.ts'
import { Names } from './names.ts'
import { settingsOf } from './options.ts'
import { OverdueTransactions } from './overdue.ts'
import { produce } from './wire/produce.ts'

const openForMs = 600_000

describe('a transaction that its process has left open', { timeout: 60_000 }, () => {
  if (server === undefined) {
    it('needs a server', (context) => context.skip(howToStart))
    return
  }
  const { url } = server
  let rig: Rig
  let cluster: Cluster
  beforeEach(async () => {
    rig = new Rig(url)
    const host = { clock: systemClock, log: recordingLog(), instance: 'gone', random: () => 0.5, onState: () => {} }
    const settings = settingsOf({ url, prefix: rig.installation.prefix, ...quick })
    cluster = new Cluster(settings, host)
    await cluster.open()
  })
  afterEach(async () => {
    cluster.close()
    await rig.end()
  })

  /** Begins a transaction in the channel that nobody will end, and that the server has patience with. */
  async function leaveOpen(id: string): Promise<void> {
    const timeoutMs = 5_000
    const topic = new Names(rig.installation.prefix).topic('c')
    const identity = await cluster.coordinated('transaction', id, (lane) =>
      lane.call(initProducerIdV5.api, id, openForMs, -1n, -1),
    )
    const { producerId, producerEpoch } = identity
    const { compression } = cluster.settings
    const timestampMs = systemClock.nowMs()
    const common = { producerId, producerEpoch, sequence: 0, transactional: true, timestampMs, compression }
    const record = { key: 'k', value: Buffer.from('never'), headers: [], id: undefined }
    const batches = [0, 1, 2, 3].map((partition) => ({ topic, partition, records: [record], settings: common }))
    const lane = cluster.lane(await cluster.leader(topic, 0), 'test')
    for (;;) {
      const answers = await lane.send(produce({ transactionalId: id, timeoutMs, batches }))
      if (answers.every(({ errorCode }) => errorCode === 0)) return
    }
  }

  it('is ended by the next member, which reads what came behind it', async () => {
    const engine = await rig.open()
    await declare(engine)
    await leaveOpen(new Names(rig.installation.prefix).transactionalId('gone-1'))
    await engine.publish(records(20))
    const witness = await Witness.join(engine)
    await until(() => witness.ids.length >= 20, 'what is behind the transaction')
    expect(new Set(witness.ids).size).toBe(20)
  })

  it('stays where it is not over time, and where it belongs to another installation', async () => {
    const engine = await rig.open()
    await declare(engine)
    const foreign = `x${new Names(rig.installation.prefix).transactionalId('gone-2')}`
    await leaveOpen(foreign)
    await engine.publish(records(20))
    const witness = await Witness.join(engine)
    await new OverdueTransactions(cluster, new Names(rig.installation.prefix)).end()
    expect(witness.ids).toEqual([])
    await cluster.coordinated('transaction', foreign, (lane) =>
      lane.call(initProducerIdV5.api, foreign, openForMs, -1n, -1).catch(() => undefined),
    )
    await until(() => witness.ids.length >= 20, 'what is behind the transaction')
  })
})
