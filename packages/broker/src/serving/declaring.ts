import type { GroupSpec, PatternGroupSpec, Topology, TopologyReport } from '@posthaste/contracts'
import type { Asked } from './asked.ts'
import { denied } from './denied.ts'

/** Makes channels and groups exist, as far as the user may. @throws PERMISSION_DENIED OVERLOADED */
export async function declaring(topology: Topology, { grants, around, session }: Asked): Promise<TopologyReport> {
  const { permissions, user, quota } = grants
  for (const { name } of topology.channels) {
    const isAllowed = around.channels.known.has(name) ? permissions.mayAny(name) : permissions.mayMake(name)
    if (!isAllowed) throw denied(user, 'manage', `'${name}'`)
  }
  for (const { channel } of topology.groups)
    if (!permissions.may('consume', channel)) throw denied(user, 'consume', `'${channel}'`)
  const names = topology.channels.map(({ name }) => name)
  const staying = topology.groups
    .filter((spec) => !isTemporary(spec))
    .map(({ channel, group }) => `${channel}@${group}`)
  const temporary = topology.groups.filter(isTemporary)
  const channels = around.channels.begin(names, { user, max: quota.channelsMax })
  let report: TopologyReport | undefined
  try {
    const groups = around.groups.begin(staying, { user, max: quota.groupsMax })
    try {
      const forget = temporary.length > 0 ? session().temporary.add(temporary) : () => {}
      report = await around.engine.declare(topology).catch((thrown: unknown) => {
        forget()
        throw thrown
      })
      return report
    } finally {
      groups.done(report?.created)
    }
  } finally {
    channels.done(report?.created)
  }
}

/** Makes a group over a pattern exist. @throws OVERLOADED */
export async function following(spec: PatternGroupSpec, { grants, around, session }: Asked): Promise<void> {
  if (isTemporary(spec)) {
    const forget = session().temporary.add([spec])
    await around.engine.patterns?.declare(spec).catch((thrown: unknown) => {
      forget()
      throw thrown
    })
    return
  }
  const name = `${spec.pattern}@${spec.group}`
  const making = around.groups.begin([name], { user: grants.user, max: grants.quota.groupsMax })
  let created: readonly string[] | undefined
  try {
    await around.engine.patterns?.declare(spec)
    created = [name]
  } finally {
    making.done(created)
  }
}

function isTemporary({ lifetime }: Pick<GroupSpec, 'lifetime'>): boolean {
  return lifetime === 'temporary'
}
