import type { Lag } from '@posthaste/contracts'
import { type Channel, rangesOf } from './channel.ts'
import { isOwn, isRead } from './claims.ts'
import type { Link } from './link.ts'
import { addressee, type Names } from './names.ts'
import { countNoted } from './noted.ts'
import type { Sessions } from './sessions.ts'
import type { TopologyKeeper } from './topology.ts'

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
  const [waiting, noted] = await Promise.all([
    waitingFor(link, channel, group.name),
    // What members of this process read they count themselves.
    countNoted(link, {
      bucket: names.notes,
      channel: channelName,
      group: groupName,
      isCounted: (range) => !isOwn(sessions, { channel: channelName, group: groupName, range }),
    }),
  ])
  return { ready, waiting, inFlight, noted }
}

/** How much waits for its time, for all groups or this one. */
async function waitingFor(link: Link, { names }: Channel, group: string): Promise<number> {
  const counts = await Promise.all(
    [undefined, group].map((to) => count(link, names.stream, `${names.later}.${addressee(to)}.*.*.*`)),
  )
  return counts.reduce((sum, each) => sum + each, 0)
}

async function count(link: Link, stream: string, subject: string): Promise<number> {
  const info = await link.find('lag', (manager) => manager.streams.info(stream, { subjects_filter: subject }))
  return Object.values(info?.state.subjects ?? {}).reduce((sum, each) => sum + each, 0)
}
