import { PosthasteError, type Topology, type TopologyReport } from '@posthaste/contracts'
import type { Asked } from './asked.ts'
import { denied } from './denied.ts'

/** Makes channels and groups exist, as far as the user may. @throws PERMISSION_DENIED OVERLOADED */
export async function declaring(topology: Topology, asked: Asked): Promise<TopologyReport> {
  const { grants, around, session } = asked
  const known = around.channels
  for (const { name } of topology.channels) checkChannel(name, known.has(name), asked)
  for (const { channel } of topology.groups)
    if (!grants.permissions.may('consume', channel)) throw denied(grants.user, 'consume', `'${channel}'`)
  const unknown = new Set(topology.channels.map(({ name }) => name).filter((name) => !known.has(name)))
  // Counted before they are there, since any number may be asked for at once; those that others make now are theirs.
  const counted = [...unknown].filter((name) => !around.making.has(name))
  checkCount(counted.length, asked)
  count(counted.length, asked)
  for (const name of counted) around.making.add(name)
  const temporary = topology.groups.filter(({ lifetime }) => lifetime === 'temporary')
  let made: readonly string[] = []
  try {
    // It knows of them before they are there.
    if (temporary.length > 0)
      for (const spec of temporary) session().temporary.set(`${spec.channel} ${spec.group}`, spec)
    const report = await around.engine.declare(topology)
    made = [...unknown].filter((name) => report.created.includes(name))
    for (const name of unknown) known.add(name)
    return report
  } finally {
    for (const name of counted) around.making.delete(name)
    count(made.length - counted.length, asked)
  }
}

/** Counts channels that a user makes, or does not make after all. */
function count(channels: number, { grants, around }: Asked): void {
  around.made.set(grants.user, (around.made.get(grants.user) ?? 0) + channels)
}

function checkChannel(name: string, isKnown: boolean, { grants }: Asked): void {
  const { permissions, user } = grants
  if (isKnown ? permissions.mayAny(name) : permissions.mayMake(name)) return
  throw denied(user, 'manage', `'${name}'`)
}

function checkCount(made: number, { grants, around }: Asked): void {
  if (made === 0) return
  const { channelsMax } = around.config.limits
  const known = around.channels.size + around.making.size
  const own = (around.made.get(grants.user) ?? 0) + made
  if (known + made <= channelsMax && own <= grants.quota.channelsMax) return
  const most = own > grants.quota.channelsMax ? grants.quota.channelsMax : channelsMax
  throw new PosthasteError('OVERLOADED', `user '${grants.user}' may not make more than ${most} channels`, {
    verdict: 'permanent',
    remedy: 'Raise limits.channelsMax in the configuration of the broker.',
  })
}
