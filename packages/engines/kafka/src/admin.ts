import {
  createTopicsV7,
  deleteGroupsV2,
  deleteRecordsV2,
  describeConfigsV4,
  incrementalAlterConfigsV1,
} from '@platformatic/kafka'
import type { Cluster } from './cluster.ts'
import { hasCode, KafkaError, kafkaCodes } from './errors.ts'

/** A topic that is to be there. */
export interface NewTopic {
  readonly name: string
  readonly partitions: number
  readonly config: Readonly<Record<string, string>>
}

const createTimeoutMs = 30_000
const leaderless = 5

/** Makes topics exist, and waits until they can be used. Tells which it made. */
export async function createTopics(cluster: Cluster, topics: readonly NewTopic[]): Promise<Set<string>> {
  const made = new Set<string>()
  if (topics.length === 0) return made
  const { replicas } = cluster.settings
  const wanted = topics.map(({ name, partitions, config }) => ({
    name,
    numPartitions: partitions,
    replicationFactor: replicas,
    assignments: [],
    configs: Object.entries(config).map(([key, value]) => ({ name: key, value })),
  }))
  await cluster.persistently(async () => {
    const lane = await cluster.control()
    for (const { name, errorCode, errorMessage } of await create(
      lane.call(createTopicsV7.api, wanted, createTimeoutMs, false),
    )) {
      if (errorCode === 0) made.add(name)
      else if (errorCode !== kafkaCodes.topicExists) throw new KafkaError(errorCode, `topic ${name}`, errorMessage)
    }
  })
  await cluster.persistently(
    async () => {
      await cluster.refresh(topics.map(({ name }) => name))
      for (const { name } of topics) {
        const { leaders = [] } = cluster.topicIfKnown(name) ?? {}
        if (leaders.length === 0 || leaders.some((each) => each < 0)) throw new KafkaError(leaderless, `topic ${name}`)
      }
    },
    Math.max(cluster.settings.timeoutMs, createTimeoutMs),
  )
  return made
}

interface CreateResult {
  readonly name: string
  readonly errorCode: number
  readonly errorMessage?: string | null | undefined
}

/** The client fails as a whole when one topic is there already; what it was told is beside the error. */
async function create(answer: Promise<{ readonly topics: readonly CreateResult[] }>): Promise<readonly CreateResult[]> {
  try {
    return (await answer).topics
  } catch (error) {
    const { response } = error as { readonly response?: { readonly topics?: readonly CreateResult[] } }
    if (response?.topics === undefined) throw error
    return response.topics
  }
}

const topicResource = 2
const groupResource = 32
const setOperation = 0
const deleteOperation = 1
const sessionKey = 'consumer.session.timeout.ms'
const beatKey = 'consumer.heartbeat.interval.ms'
const beatsPerSession = 3
/** More than this no server takes by default, whose longest session has four of them. */
const beatMsMax = 15_000

/** How often a server that was given a session timeout asks for signs of life. */
export function beatMsOf(sessionTimeoutMs: number): number {
  return Math.min(beatMsMax, Math.ceil(sessionTimeoutMs / beatsPerSession))
}

/** Settings of topics, by topic. */
export async function topicConfigs(
  cluster: Cluster,
  topics: readonly string[],
  keys: readonly string[],
): Promise<Map<string, Map<string, string | null | undefined>>> {
  if (topics.length === 0) return new Map()
  const lane = await cluster.control()
  const resources = topics.map((resourceName) => ({
    resourceType: topicResource,
    resourceName,
    configurationKeys: [...keys],
  })) as Parameters<typeof describeConfigsV4.createRequest>[0]
  const { results } = await lane.call(describeConfigsV4.api, resources, false, false)
  return new Map(
    results.map(({ resourceName, configs }) => [
      resourceName,
      new Map(configs.map(({ name, value }) => [name, value])),
    ]),
  )
}

/** How soon the server gives up members of groups. It answers before that is in effect everywhere. */
export async function setSessionTimeout(
  cluster: Cluster,
  groupIds: readonly string[],
  sessionTimeoutMs: number,
): Promise<void> {
  if (groupIds.length === 0) return
  const configs = [
    { name: sessionKey, configOperation: setOperation, value: String(sessionTimeoutMs) },
    // The server takes no session that is shorter than the time between two signs of life.
    { name: beatKey, configOperation: setOperation, value: String(beatMsOf(sessionTimeoutMs)) },
  ]
  await alterGroups(cluster, groupIds, configs)
  for (const each of groupIds) cluster.sessionsGiven.add(each)
}

/** Deletes a group that is over, with its positions and the session timeout it was given; one that has members stays. */
export async function endGroup(cluster: Cluster, groupId: string): Promise<void> {
  await deleteGroup(cluster, groupId)
  cluster.sessionsGiven.delete(groupId)
  if (cluster.settings.sessionTimeoutMs === undefined) return
  const configs = [sessionKey, beatKey].map((name) => ({ name, configOperation: deleteOperation, value: null }))
  await alterGroups(cluster, [groupId], configs)
}

interface ConfigChange {
  readonly name: string
  readonly configOperation: number
  readonly value: string | null
}

async function alterGroups(
  cluster: Cluster,
  groupIds: readonly string[],
  configs: readonly ConfigChange[],
): Promise<void> {
  const resources = groupIds.map((resourceName) => ({ resourceType: groupResource, resourceName, configs }))
  await cluster.persistently(async () => {
    const lane = await cluster.control()
    await lane.call(
      incrementalAlterConfigsV1.api,
      resources as unknown as Parameters<typeof incrementalAlterConfigsV1.createRequest>[0],
      false,
    )
  })
}

/** Deletes a group, with its positions; one that has members stays. */
async function deleteGroup(cluster: Cluster, groupId: string): Promise<void> {
  try {
    await cluster.coordinated('group', groupId, (lane) => lane.call(deleteGroupsV2.api, [groupId]))
  } catch (error) {
    if (!hasCode(error, kafkaCodes.groupNotFound, kafkaCodes.groupNotEmpty)) throw error
  }
}

/** Deletes the records of partitions before an offset. */
export async function deleteRecords(
  cluster: Cluster,
  topic: string,
  offsets: ReadonlyMap<number, number>,
): Promise<void> {
  const byLeader = new Map<number, { partitionIndex: number; offset: bigint }[]>()
  for (const [partitionIndex, offset] of offsets) {
    const leader = await cluster.leader(topic, partitionIndex)
    byLeader.set(leader, [...(byLeader.get(leader) ?? []), { partitionIndex, offset: BigInt(offset) }])
  }
  for (const [leader, partitions] of byLeader)
    await cluster.lane(leader, 'lookup').call(deleteRecordsV2.api, [{ name: topic, partitions }], createTimeoutMs)
}
