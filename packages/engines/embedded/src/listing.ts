import type { ListedGroup, Listing } from '@posthaste/contracts'
import type { Group } from './group/group.ts'
import type { Member } from './group/member.ts'
import type { Registry } from './topology.ts'

/** What is listed, of an engine that is open. */
export interface Listed {
  readonly registry: Registry
  readonly members: ReadonlyMap<Member, Group>
}

/** Tells which channels and groups stand in the directory. */
export function listing(running: () => Listed): Listing {
  return {
    async channels() {
      const specs = Array.from(running().registry.channels.values(), ({ spec }) => spec)
      return specs.sort((one, other) => inOrder(one.name, other.name))
    },
    async groups(name) {
      const { registry, members } = running()
      const joined = [...members.values()]
      const groups = Array.from(registry.channel(name).groups.values(), ({ row, group }): ListedGroup => {
        const count = joined.filter((of) => of === group).length
        return { group: row.group, lifetime: row.lifetime ?? 'durable', members: count }
      })
      return groups.sort((one, other) => inOrder(one.group, other.group))
    },
  }
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : 1)
