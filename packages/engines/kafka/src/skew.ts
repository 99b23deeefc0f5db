import type { Cluster } from './cluster.ts'
import type { Names } from './names.ts'
import { produce } from './wire/produce.ts'

/** How often the server's clock is asked for. */
const samples = 3
/** The key of records that are written to be told when that was; without a value, so that nothing of them stays. */
const key = 'clock'
/** Not numbered: nothing comes of it where it is written twice. */
const anybody = { producerId: -1n, producerEpoch: -1, sequence: -1, transactional: false, compression: 'none' } as const

/**
 * Tells how far the clock of the server is ahead: by when it stored what is written to the registry, whose records have
 * the time of the server. Tells nothing where the registry was made with another setting, or cannot be written to.
 */
export async function tellSkew(cluster: Cluster, { registry }: Names): Promise<void> {
  const { host } = cluster
  const { clock, log } = host
  if (host.onClockSkew === undefined || cluster.topicIfKnown(registry) === undefined) return
  let [bestMs, aheadMs] = [Number.POSITIVE_INFINITY, 0]
  try {
    const lane = cluster.lane(await cluster.leader(registry, 0), 'lookup')
    // What it takes to connect says nothing.
    await lane.connect()
    for (let sample = 0; sample < samples; sample += 1) {
      const [sentMs, askedAtMs] = [clock.monotonicMs(), clock.nowMs()]
      const settings = { ...anybody, timestampMs: Math.floor(askedAtMs) }
      const batches = [
        { topic: registry, partition: 0, records: [{ key, value: undefined, headers: [], id: undefined }], settings },
      ]
      const [result] = await lane.send(produce({ timeoutMs: cluster.settings.timeoutMs, batches }))
      const tookMs = clock.monotonicMs() - sentMs
      const { errorCode = -1, appendTimeMs = -1 } = result ?? {}
      if (errorCode !== 0 || appendTimeMs < 0) return
      if (tookMs >= bestMs) continue
      bestMs = tookMs
      aheadMs = appendTimeMs - (askedAtMs + tookMs / 2)
    }
  } catch (error) {
    log.debug('kafka engine: the clock of the server was not told', { error })
    return
  }
  // The server tells whole milliseconds.
  if (!cluster.isClosed) host.onClockSkew(aheadMs, bestMs / 2 + 1)
}
