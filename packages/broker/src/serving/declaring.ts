import { type ChannelSpec, PosthasteError, type Topology, type TopologyReport } from '@posthaste/contracts'
import type { Asked } from './asked.ts'
import { denied } from './denied.ts'

/** Makes channels and groups exist, as far as the user may. @throws PERMISSION_DENIED OVERLOADED */
export async function declaring(topology: Topology, asked: Asked): Promise<TopologyReport> {
  const { grants, around, session } = asked
  const known = around.channels
  const made = topology.channels.filter(({ name }) => !known.has(name))
  for (const { name } of topology.channels) checkChannel(name, known.has(name), asked)
  for (const { channel } of topology.groups)
    if (!grants.permissions.may('consume', channel)) throw denied(grants.user, 'consume', `'${channel}'`)
  checkCount(made, known.size, asked)
  const temporary = topology.groups.filter(({ lifetime }) => lifetime === 'temporary')
  // It knows of them before they are there.
  if (temporary.length > 0) for (const spec of temporary) session().temporary.set(`${spec.channel} ${spec.group}`, spec)
  const report = await around.engine.declare(topology)
  const { user } = grants
  for (const { name } of made) known.add(name)
  around.made.set(user, (around.made.get(user) ?? 0) + made.length)
  return report
}

function checkChannel(name: string, isKnown: boolean, { grants }: Asked): void {
  const { permissions, user } = grants
  if (isKnown ? permissions.mayAny(name) : permissions.mayMake(name)) return
  throw denied(user, 'manage', `'${name}'`)
}

function checkCount(made: readonly ChannelSpec[], known: number, { grants, around }: Asked): void {
  if (made.length === 0) return
  const { channelsMax } = around.config.limits
  const own = (around.made.get(grants.user) ?? 0) + made.length
  if (known + made.length <= channelsMax && own <= grants.quota.channelsMax) return
  const most = own > grants.quota.channelsMax ? grants.quota.channelsMax : channelsMax
  throw new PosthasteError('OVERLOADED', `user '${grants.user}' may not make more than ${most} channels`, {
    verdict: 'permanent',
    remedy: 'Raise limits.channelsMax in the configuration of the broker.',
  })
}
