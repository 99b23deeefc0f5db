import { initProducerIdV5 } from '@platformatic/kafka'
import type { Outcome } from '@posthaste/contracts'
import { manualClock, recordingLog } from 'posthaste/testing'
import { describe, expect, it } from 'vitest'
import type { Cluster } from './cluster.ts'
import { ConnectionError, kafkaCodes } from './errors.ts'
import { Producer, type Routed } from './producer.ts'
import type { ProduceResult } from './wire/produce.ts'

type Answer = readonly ProduceResult[] | Error

const timeoutMs = 10_000

/** A producer and a server that answers requests as the test says, in order; and takes everything from then on. */
function producing(
  { identified }: { readonly identified?: Promise<void> },
  ...answers: readonly (Answer | Promise<Answer>)[]
) {
  const clock = manualClock()
  const left = [...answers]
  let [requests, identities] = [0, 0n]
  const lane = {
    async send() {
      requests += 1
      const answer = await (left.shift() ?? stored())
      if (answer instanceof Error) throw answer
      return answer
    },
    async call(api: unknown) {
      if (api !== initProducerIdV5.api) throw new Error('it asks for something else')
      await identified
      identities += 1n
      return { producerId: identities, producerEpoch: 0 }
    },
  }
  const cluster = {
    host: { clock, log: recordingLog(), random: () => 0.5 },
    settings: { timeoutMs, compression: 'none' },
    isClosed: false,
    topicIfKnown: () => ({ id: 't', leaders: [0, 0] }),
    refresh: async () => {},
    pause: (ms: number) => new Promise<void>((resolve) => clock.setTimer(ms, resolve)),
    control: async () => lane,
    lane: () => lane,
  } as unknown as Cluster
  const producer = new Producer(cluster, 1_048_576)
  const send = (partition = 0): Promise<readonly Outcome[]> => {
    const record = { key: 'k', value: Buffer.from('v'), headers: [], id: undefined }
    const routed: Routed = { topic: 'c', partition, record, bytes: 100 }
    return producer.send([routed], new Array(1))
  }
  return { clock, send, requests: () => requests, identities: () => identities }
}

const stored = (): ProduceResult[] => [0, 1].map((partition) => answered(partition, 0))
const answered = (partition: number, errorCode: number): ProduceResult => ({
  topic: 'c',
  partition,
  errorCode,
  errorMessage: undefined,
  appendTimeMs: -1,
})

describe('the producer', () => {
  it('sends what may have been stored again under the same numbers, which the server recognises', async () => {
    const { clock, send, requests, identities } = producing({}, new ConnectionError('it broke'))
    const sent = send()
    await clock.advance(5_000)
    expect(await sent).toEqual([{ ok: true }])
    expect([requests(), identities()]).toEqual([2, 1n])
  })

  it('numbers nothing anew for one that nobody waits for while somebody waits for another of its batch', async () => {
    const [identified, lost] = [Promise.withResolvers<void>(), Promise.withResolvers<Answer>()]
    const { clock, send, requests, identities } = producing({ identified: identified.promise }, lost.promise)
    const first = send()
    await clock.advance(timeoutMs / 2)
    const second = send()
    identified.resolve()
    await clock.advance(timeoutMs / 2)
    expect(await first).toMatchObject([{ ok: false, error: { code: 'UNAVAILABLE' } }])
    lost.resolve(new ConnectionError('it broke'))
    await clock.advance(timeoutMs / 4)
    expect(await second).toEqual([{ ok: true }])
    expect([requests(), identities()]).toEqual([2, 1n])
  })

  it('tells what may have been stored as not confirmed where numbers begin anew, and stores it no second time', async () => {
    const [lost, outOfOrder] = [Promise.withResolvers<Answer>(), [answered(1, kafkaCodes.outOfOrderSequence)]]
    const { clock, send, requests, identities } = producing({}, lost.promise, outOfOrder)
    const first = send(0)
    await clock.advance(1)
    const second = send(1)
    await clock.advance(1)
    lost.resolve(new ConnectionError('it broke'))
    await clock.advance(5_000)
    expect(await first).toMatchObject([{ ok: false, error: { code: 'UNAVAILABLE', verdict: 'retryable' } }])
    expect(await second).toEqual([{ ok: true }])
    expect([requests(), identities()]).toEqual([3, 2n])
  })
})
