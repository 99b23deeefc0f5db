import type { Lag } from '@posthaste/contracts'
import type { Link } from './link.ts'
import { addressee, type Names, tokenOf } from './names.ts'
import { type Channel, rangesOf, type TopologyKeeper } from './topology.ts'

/** What reading figures needs. */
export interface LagSurroundings {
  readonly link: Link
  readonly names: Names
  readonly topology: TopologyKeeper
}

/** The figures of a group as its consumers and what waits for its time tell them. */
export async function lagOf(
  { link, names, topology }: LagSurroundings,
  channelName: string,
  groupName: string,
): Promise<Lag> {
  const { channel, group } = await topology.group(channelName, groupName)
  const infos = await Promise.all(rangesOf(channel).map((range) => topology.consumerInfo(channel, group.name, range)))
  let [ready, inFlight] = [0, 0]
  for (const info of infos) {
    ready += (info?.num_pending ?? 0) + (info?.num_ack_pending ?? 0)
    inFlight += info?.num_ack_pending ?? 0
  }
  return { ready, waiting: await waitingFor(link, { names, channel, group: group.name }), inFlight }
}

interface WaitingFor {
  readonly names: Names
  readonly channel: Channel
  readonly group: string
}

/** How much waits for its time, for all groups or this one. */
async function waitingFor(link: Link, { names, channel, group }: WaitingFor): Promise<number> {
  const [stream, base] = link.features.schedules
    ? [channel.names.stream, channel.names.later]
    : [names.delayed.stream, `${names.delayed.subject}.${tokenOf(channel.spec.name)}`]
  const counts = await Promise.all(
    [undefined, group].map((to) => count(link, stream, `${base}.${addressee(to)}.*.*.*`)),
  )
  return counts.reduce((sum, each) => sum + each, 0)
}

async function count(link: Link, stream: string, subject: string): Promise<number> {
  const info = await link.find('lag', (manager) => manager.streams.info(stream, { subjects_filter: subject }))
  return Object.values(info?.state.subjects ?? {}).reduce((sum, each) => sum + each, 0)
}
