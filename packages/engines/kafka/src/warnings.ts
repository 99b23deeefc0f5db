import { topicConfigs } from './admin.ts'
import type { Cluster } from './cluster.ts'

const replicasOfChoice = 2

/** How many topics are named: there may be hundreds. */
const namedMax = 3

/** The first topics by their names, and how many more there are. */
export function named(found: readonly (readonly [topic: string, ...rest: unknown[]])[]) {
  const topics = found.slice(0, namedMax).map(([topic]) => topic)
  return found.length > namedMax ? { topics, more: found.length - namedMax } : { topics }
}

/** Tells of settings of topics by which the server may lose what it confirmed, or delete what a group needs. */
export async function warnOfUnsafe(cluster: Cluster, topics: readonly string[]): Promise<void> {
  const { log } = cluster.host
  try {
    const configs = await topicConfigs(cluster, topics, ['min.insync.replicas', 'retention.ms', 'retention.bytes'])
    const all = [...configs]
    const alone = all.filter(([, config]) => Number(config.get('min.insync.replicas')) < replicasOfChoice)
    if (alone.length > 0)
      log.warn(
        'kafka engine: one replica confirms alone; use at least three replicas and minInSyncReplicas: 2',
        named(alone),
      )
    const forgets = (config: ReadonlyMap<string, string | null | undefined>) =>
      ['retention.ms', 'retention.bytes'].some((key) => (config.get(key) ?? '-1') !== '-1')
    const forgetful = all.filter(([, config]) => forgets(config))
    if (forgetful.length > 0)
      log.warn(
        'kafka engine: the server deletes records by itself, whether or not a group needs them',
        named(forgetful),
      )
  } catch (error) {
    log.debug('kafka engine: settings of topics are not told', { error })
  }
}
