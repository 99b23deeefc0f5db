import type { ChannelSpec, ListedGroup, Listing } from '@posthaste/contracts'
import { undeclared } from './errors.ts'
import type { Run } from './session.ts'
import { type Settings, specOf } from './topology.ts'
import { Packer } from './wire.ts'

/** Tells which channels and groups stand in the server. */
export function listing(run: Run): Listing {
  return {
    async channels() {
      const found = (await run('listChannels', new Packer().array(0).take())).value()
      const specs = (found as readonly [string, Settings][]).map(([name, settings]) => listed(specOf(name, settings)))
      return specs.sort((one, other) => inOrder(one.name, other.name))
    },
    async groups(channel) {
      const reply = await run('listGroups', new Packer().array(1).text(channel).take())
      if (reply.isNo()) throw undeclared(`channel ${channel}`)
      const found = reply.value() as readonly [string, ListedGroup['lifetime'], number][]
      const groups = found.map(([group, lifetime, members]) => ({ group, lifetime, members }))
      return groups.sort((one, other) => inOrder(one.group, other.group))
    },
  }
}

/** Without what nobody has asked for. */
function listed({ name, kind, keyed, retention = {}, priorities = 1, deduplicateForMs }: ChannelSpec): ChannelSpec {
  return {
    ...{ name, kind, keyed },
    ...(Object.keys(retention).length > 0 && { retention }),
    ...(priorities > 1 && { priorities }),
    ...(deduplicateForMs !== undefined && { deduplicateForMs }),
  }
}

const inOrder = (one: string, other: string): number => (one < other ? -1 : 1)
