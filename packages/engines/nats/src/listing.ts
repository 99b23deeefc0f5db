import type { ConsumerInfo, JetStreamManager, Lister, StreamInfo } from '@nats-io/jetstream'
import type { ChannelSpec, ListedGroup, Listing } from '@posthaste/contracts'
import { type Description, descriptionOf, lifetimeOf, ownDescription } from './configs.ts'
import { errorFrom } from './errors.ts'
import type { Link } from './link.ts'
import { groupKey, type Names } from './names.ts'
import { memberStart, type Sessions } from './sessions.ts'
import type { ServerTime } from './time.ts'
import { isName, undeclared } from './topology.ts'

/** What telling works with. */
export interface ListingSurroundings {
  readonly link: Link
  readonly names: Names
  readonly sessions: Sessions
  readonly time: ServerTime
}

/** Tells which channels and groups stand in the server: streams and consumers, without what others have made. */
export function listing(surroundings: () => ListingSurroundings): Listing {
  return {
    async channels() {
      const { link, names } = surroundings()
      const streams = await allOf(link, 'channels', (manager) => manager.streams.list(names.channels))
      const specs = streams.map((info) => channelIn(names, info)).filter((spec) => spec !== undefined)
      return specs.sort((one, other) => inOrder(one.name, other.name))
    },
    async groups(channel) {
      const { link, names, sessions, time } = surroundings()
      const { stream } = names.channel(channel, false)
      // Read anew, and not made known: what a process knows it also trims, and it hands on what is due there.
      const found =
        isName(channel) && (await link.find(`channel ${channel}`, (manager) => manager.streams.info(stream)))
      if (!found) throw undeclared(channel)
      const { keyRanges } = descriptionOf(channel, found)
      const consumers = await allOf(link, `groups of ${channel}`, (manager) => manager.consumers.list(stream))
      const members = counting(sessions, { isKeyed: keyRanges > 0, serverMs: time.toServers(link.host.clock.nowMs()) })
      const groups = consumers.map((each) => groupIn(names, each, keyRanges)).filter((each) => each !== undefined)
      return groups
        .map((each) => ({ ...each, members: members(groupKey(channel, each.group)) }))
        .sort((one, other) => inOrder(one.group, other.group))
    },
  }
}

/** The server answers in pages. */
async function allOf<T extends StreamInfo | ConsumerInfo>(
  link: Link,
  what: string,
  list: (manager: JetStreamManager) => Lister<T>,
): Promise<readonly T[]> {
  try {
    return await link.admin(what, async (manager) => {
      // By name: what is made meanwhile moves others to the next page.
      const found = new Map<string, T>()
      for await (const info of list(manager)) found.set('name' in info ? info.name : info.config.name, info)
      return [...found.values()]
    })
  } catch (thrown) {
    throw errorFrom(thrown, what)
  }
}

/** A channel of ours has its name twice. */
function channelIn(names: Names, { config }: StreamInfo): ChannelSpec | undefined {
  const spec = ownDescription<Description>(config)?.spec
  return spec?.name === names.channelOf(config.name) ? spec : undefined
}

/** A group is there with the consumer of its first range, which is made last. */
function groupIn(names: Names, info: ConsumerInfo, keyRanges: number): Omit<ListedGroup, 'members'> | undefined {
  const { group, range } = names.groupOf(info.name) ?? {}
  const isFirst = range === (keyRanges > 0 ? 0 : undefined)
  if (group === undefined || !isFirst || ownDescription(info.config) === undefined) return undefined
  return { group, lifetime: lifetimeOf(info) }
}

interface Counted {
  readonly isKeyed: boolean
  /** What time it is at the server. */
  readonly serverMs: number
}

/** Counts the members of groups of a channel: those with key ranges have keys, others stand with their sessions. */
function counting(sessions: Sessions, { isKeyed, serverMs }: Counted): (group: string) => number | undefined {
  const present = sessions.present(serverMs)
  if (isKeyed) {
    return (group) => {
      const keys = [...sessions.bucket.keys(`${memberStart}${group}.`)]
      return keys.filter(([, { value: session }]) => present.has(session)).length
    }
  }
  const told = Array.from(present.values(), ({ members }) => members)
  return (group) => {
    let count = 0
    for (const members of told) {
      if (members === undefined) return undefined
      count += members[group] ?? 0
    }
    return count
  }
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : 1)
