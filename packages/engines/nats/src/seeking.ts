import { type ConsumerConfig, DeliverPolicy, type StoredMsg } from '@nats-io/jetstream'
import { PosthasteError, type Seeking, type SeekTarget } from '@posthaste/contracts'
import { messagesFrom } from './browsing.ts'
import { pullMsFor } from './feed.ts'
import { recordOf, seqOf } from './incoming.ts'
import type { Link } from './link.ts'
import { type Names, tokenOf } from './names.ts'
import type { Publisher } from './publisher.ts'
import type { ServerTime } from './time.ts'
import { type Channel, guardConsumer, rangesOf, type TopologyKeeper } from './topology.ts'

/** What moving groups needs. */
export interface SeekingSurroundings {
  readonly link: Link
  readonly names: Names
  readonly time: ServerTime
  readonly topology: TopologyKeeper
  readonly publisher: Publisher
  /** Whether this process has members of a group. */
  readonly hasMembers: (channel: string, group: string) => boolean
}

/** Where a group begins. */
interface Start {
  readonly config: Partial<ConsumerConfig>
  /** Whether what stands here, and was stored then by the server's clock, is passed over. */
  readonly skips: (seq: number, storedAtMs: number) => boolean
}

/** Moves groups by making their consumers anew. */
export function seeking(surroundings: () => SeekingSurroundings): Seeking {
  return {
    async seek(channelName, groupName, target) {
      const around = surroundings()
      const { channel, group } = await around.topology.group(channelName, groupName)
      const what = `seek of ${groupName} in ${channelName}`
      if (channel.spec.kind === 'queue')
        throw new PosthasteError('FAILED_PRECONDITION', `${what}: a queue has no history`)
      const start = startOf(target, what, around)
      await refuseMembers(around, channel, { group: group.name, what })
      await withGuard(around, channel, () => remake(around, channel, { group: group.name, start }))
    },
  }
}

function startOf(target: SeekTarget, what: string, { time }: SeekingSurroundings): Start {
  if ('to' in target) {
    return target.to === 'earliest'
      ? { config: { deliver_policy: DeliverPolicy.All }, skips: () => false }
      : { config: { deliver_policy: DeliverPolicy.New }, skips: () => true }
  }
  if ('atMs' in target) {
    const serverMs = time.toServers(target.atMs)
    return {
      config: { deliver_policy: DeliverPolicy.StartTime, opt_start_time: new Date(serverMs).toISOString() },
      skips: (_seq, storedAtMs) => storedAtMs < serverMs,
    }
  }
  const seq = seqOf(target.position)
  if (seq === undefined) {
    throw new PosthasteError('INVALID_ARGUMENT', `${what}: ${target.position} is no position of this engine`)
  }
  return {
    config: { deliver_policy: DeliverPolicy.StartSequence, opt_start_seq: Math.max(1, seq) },
    skips: (each) => each < seq,
  }
}

interface Who {
  readonly group: string
  readonly what: string
}

/** Members of other processes show by what they ask for; what a member that left had asked for ends after a while. */
async function refuseMembers(
  { link, topology, hasMembers }: SeekingSurroundings,
  channel: Channel,
  { group, what }: Who,
): Promise<void> {
  const conflict = new PosthasteError('CONFLICT', `${what}: the group has members`)
  if (hasMembers(channel.spec.name, group)) throw conflict
  const { clock } = link.host
  const deadlineMs = clock.monotonicMs() + 2 * pullMsFor(link.settings.leaseMs)
  for (;;) {
    const infos = await Promise.all(rangesOf(channel).map((range) => topology.consumerInfo(channel, group, range)))
    if (infos.every((info) => (info?.num_waiting ?? 0) === 0)) return
    if (clock.monotonicMs() >= deadlineMs) throw conflict
    await link.sleep(50)
  }
}

/** Where only what somebody is to consume is kept, somebody must be there all the time. */
async function withGuard({ link }: SeekingSurroundings, channel: Channel, work: () => Promise<void>): Promise<void> {
  if (channel.spec.retention !== undefined) {
    await work()
    return
  }
  const { stream } = channel.names
  await link.admin('seek', (manager) => manager.consumers.add(stream, guardConsumer(channel.names.records)))
  try {
    await work()
  } finally {
    const { durable_name = '' } = guardConsumer(channel.names.records)
    await link.find('seek', (manager) => manager.consumers.delete(stream, durable_name))
  }
}

interface Remade {
  readonly group: string
  readonly start: Start
}

async function remake(around: SeekingSurroundings, channel: Channel, { group, start }: Remade): Promise<void> {
  const { link, topology, names } = around
  const { stream } = channel.names
  const own: StoredMsg[] = []
  for (const range of rangesOf(channel)) {
    const subject = channel.names.subject(group, range)
    for await (const message of messagesFrom(around, channel, { subject })) own.push(message)
  }
  for (const range of rangesOf(channel)) {
    const config = topology.consumerConfig(channel, { group, from: 'next' }, range)
    await link.find('seek', (manager) => manager.consumers.delete(stream, names.consumer(group, range)))
    await link.admin('seek', (manager) => manager.consumers.add(stream, { ...config, ...start.config }))
  }
  await eraseNotes(around, channel, group)
  for (const message of own) await sort(around, channel, { message, start })
}

/** What was noted for a range stands at the place that the group leaves. */
async function eraseNotes(
  { link, names }: SeekingSurroundings,
  { spec, keyRanges }: Channel,
  group: string,
): Promise<void> {
  if (keyRanges === 0) return
  const { stream, subject } = names.notes
  const filter = `${subject}${tokenOf(spec.name)}.${tokenOf(group)}.>`
  await link.admin('seek', (manager) => manager.streams.purge(stream, { filter }))
}

interface Own {
  readonly message: StoredMsg
  readonly start: Start
}

/**
 * What was addressed to the group alone stays: it is published again where the group begins behind it. A copy that was made
 * of a record of the log goes, since the record itself comes again, or is behind the target.
 */
async function sort(
  { link, publisher }: SeekingSurroundings,
  channel: Channel,
  { message, start }: Own,
): Promise<void> {
  const { subject, header, data, seq } = message
  const { stream } = channel.names
  const { record, internals } = recordOf({ subject, headers: header, data }, channel, seq)
  const { origin, storedAtMs = message.time.getTime() } = internals
  if (origin === undefined) {
    if (!start.skips(seq, message.time.getTime())) return
    const kept = { ...dropUndefined(internals), storedAtMs }
    const [outcome] = await publisher.publish([{ ...record, dueAtMs: undefined }], [{ internals: kept, server: [] }])
    if (outcome?.ok === false) throw outcome.error
  } else if (!start.skips(origin, storedAtMs)) {
    const original = await link.find('seek', (manager) => manager.direct.getMessage(stream, { seq: origin }))
    if (original == null) return
  }
  await link.admin('seek', (manager) => manager.streams.deleteMessage(stream, seq, false))
}

function dropUndefined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>
}
