import type { Lag } from '@posthaste/contracts'
import { isRead } from './claims.ts'
import type { Link } from './link.ts'
import { addressee, type Names, tokenOf } from './names.ts'
import type { Sessions } from './sessions.ts'
import { type Channel, rangesOf, type TopologyKeeper } from './topology.ts'

/** What reading figures needs. */
export interface LagSurroundings {
  readonly link: Link
  readonly names: Names
  readonly topology: TopologyKeeper
  readonly sessions: Sessions
  /** How many of the records that the server has handed over wait in this process. */
  readonly fetchedAhead: (channel: string, group: string) => number
}

/** The figures of a group as its consumers and what waits for its time tell them. */
export async function lagOf(
  { link, names, topology, sessions, fetchedAhead }: LagSurroundings,
  channelName: string,
  groupName: string,
): Promise<Lag> {
  const { channel, group } = await topology.group(channelName, groupName)
  const ranges = rangesOf(channel)
  const infos = await Promise.all(ranges.map((range) => topology.consumerInfo(channel, group.name, range)))
  let [ready, inFlight] = [0, 0]
  for (const [at, info] of infos.entries()) {
    const pending = info?.num_ack_pending ?? 0
    const range = ranges[at]
    ready += (info?.num_pending ?? 0) + pending
    // What a reader that has left had in hand is pending until it comes again.
    if (range === undefined || isRead(sessions, { channel: channelName, group: groupName, range })) inFlight += pending
  }
  inFlight = Math.max(0, inFlight - fetchedAhead(channelName, groupName))
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
