import { type Engine, type ListedGroup, type Listing, PosthasteError, type Topology } from '@posthaste/contracts'

/** An engine that tells its topology as one. */
interface Telling {
  topology(): Promise<Topology>
}

/** What tells the channels and groups of an engine, in whichever way it does; undefined where it does not. */
export function listingOf(engine: Engine): Listing | undefined {
  if (engine.listing !== undefined) return engine.listing
  return 'topology' in engine && typeof engine.topology === 'function'
    ? fromTopology(engine as Engine & Telling)
    : undefined
}

function fromTopology(engine: Telling): Listing {
  return {
    async channels() {
      const { channels } = await engine.topology()
      return channels.toSorted((one, other) => inOrder(one.name, other.name))
    },
    async groups(channel) {
      const { channels, groups } = await engine.topology()
      if (!channels.some(({ name }) => name === channel)) {
        throw new PosthasteError('NOT_FOUND', `no channel '${channel}' is declared`)
      }
      const own = groups.filter((group) => group.channel === channel)
      return own.map(listed).sort((one, other) => inOrder(one.group, other.group))
    },
  }
}

const listed = ({ group, lifetime = 'durable' }: Topology['groups'][number]): ListedGroup => ({ group, lifetime })

const inOrder = (one: string, other: string): number => (one < other ? -1 : 1)
