import { initProducerIdV5, listTransactionsV1 } from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import type { Names } from './names.ts'

const sessionMsDefault = 45_000

/**
 * Ends transactions that a process which vanished has left open: nobody reads past them, and no position that stands in
 * one is told. A server looks for those that are over time only now and then, ten seconds apart by default; who waits for
 * one ends it by its name, as its owner would that begins anew. An owner that is merely slow is refused and begins anew, too.
 * @see https://cwiki.apache.org/confluence/x/YhSZBg KIP-664, which lists them
 */
export class OverdueTransactions {
  readonly #cluster: Cluster
  readonly #names: Names
  /** How long a transaction is open that nobody will end. */
  readonly overdueMs: number
  #looking = false

  constructor(cluster: Cluster, names: Names) {
    this.#cluster = cluster
    this.#names = names
    const { sessionTimeoutMs = sessionMsDefault, transactionTimeoutMs } = cluster.settings
    this.overdueMs = Math.min(sessionTimeoutMs, transactionTimeoutMs)
  }

  /** Looks for them once; does nothing while it is at it already, and tells nobody where it may not or cannot. */
  async end(): Promise<void> {
    if (this.#looking) return
    this.#looking = true
    try {
      await Promise.all(this.#cluster.brokerIds.map((broker) => this.#endAt(broker)))
    } catch (error) {
      this.#cluster.host.log.debug('kafka engine: transactions of others were not looked for', { error })
    } finally {
      this.#looking = false
    }
  }

  async #endAt(broker: number): Promise<void> {
    const lane = this.#cluster.lane(broker, 'overdue')
    const { api } = listTransactionsV1
    const { transactionStates } = await lane.call(api, ['Ongoing'], [], BigInt(this.overdueMs), null)
    const own = this.#names.transactionalId('')
    const ids = transactionStates.map(({ transactionalId }) => transactionalId).filter((id) => id.startsWith(own))
    for (const id of ids) {
      this.#cluster.host.log.info('kafka engine: a transaction is ended that its process has left open', { id })
      // Answered with a refusal as long as it takes to end it: that is not waited for.
      await lane.call(initProducerIdV5.api, id, this.#cluster.settings.transactionTimeoutMs, -1n, -1).catch(() => {})
    }
  }
}
