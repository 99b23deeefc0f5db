import type { ListedGroup, Listing } from '@posthaste/contracts'
import type { Cluster } from './cluster.ts'
import { Declared } from './groups.ts'
import type { Names } from './names.ts'
import { memberCount } from './positions.ts'
import type { RegisteredGroup, Registry } from './registry.ts'

/** What telling works with. */
export interface ListingPlace {
  readonly cluster: Cluster
  readonly names: Names
  readonly registry: Registry
}

/** Tells what the registry has, and the members that the server counts. */
export function listing({ cluster, names, registry }: ListingPlace): Listing {
  const declared = new Declared(names, registry)
  return {
    async channels() {
      await registry.refresh()
      const specs = Array.from(registry.channels.values(), ({ spec }) => spec)
      return specs.sort((one, other) => inOrder(one.name, other.name))
    },
    async groups(channel) {
      await registry.refresh()
      const own = [...(await declared.channel(channel)).groups.values()]
      const foreign = registry.foreignGroups().filter((each) => each.channel === channel)
      const counted = await Promise.all(
        [...own, ...foreign].map(async (entry) => {
          const members = await memberCount(cluster, names.groupId(channel, entry.group, entry.token))
          return { entry, members }
        }),
      )
      return merged(counted).sort((one, other) => inOrder(one.group, other.group))
    },
  }
}

interface Counted {
  readonly entry: RegisteredGroup
  readonly members: number
}

/** Temporary groups of several processes have one name. */
function merged(counted: readonly Counted[]): ListedGroup[] {
  const byName = new Map<string, ListedGroup>()
  for (const { entry, members } of counted) {
    const { group, lifetime } = entry
    const before = byName.get(group)
    byName.set(group, { group, lifetime: before?.lifetime ?? lifetime, members: members + (before?.members ?? 0) })
  }
  return [...byName.values()]
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : 1)
