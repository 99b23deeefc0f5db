import { type ConsumerConfig, DeliverPolicy, type StoredMsg } from '@nats-io/jetstream'
import { type OutgoingRecord, PosthasteError, type Seeking, type SeekTarget } from '@posthaste/contracts'
import { messagesFrom } from './browsing.ts'
import { type Channel, rangesOf } from './channel.ts'
import { consumerConfig, guardConsumer } from './configs.ts'
import { pullMsFor } from './feed.ts'
import { groupOf, recordOf, seqOf } from './incoming.ts'
import type { Link } from './link.ts'
import type { Names } from './names.ts'
import { eraseNotesOfLog } from './notes.ts'
import { inParallel } from './parallel.ts'
import type { Additions, Publisher } from './publisher.ts'
import type { ServerTime } from './time.ts'
import type { TopologyKeeper } from './topology.ts'

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
  const { link, names } = around
  const { stream } = channel.names
  const own: StoredMsg[] = []
  for (const range of rangesOf(channel)) {
    const subject = channel.names.subject(group, range)
    for await (const message of messagesFrom(around, channel, { subject })) own.push(message)
  }
  for (const range of rangesOf(channel)) {
    const config = consumerConfig(around, channel, { group, from: 'next', range })
    await link.find('seek', (manager) => manager.consumers.delete(stream, names.consumer(group, range)))
    await link.admin('seek', (manager) => manager.consumers.add(stream, { ...config, ...start.config }))
  }
  // What was noted of the log stands at the place that the group leaves.
  await eraseNotesOfLog(around, channel, group)
  await sortOwn(around, channel, { own, start })
}

interface Own {
  readonly own: readonly StoredMsg[]
  readonly start: Start
}

/**
 * What was addressed to the group alone stays: it is published again, since the group may begin behind it. A copy that was
 * made of a record of the log goes, since the record itself comes again, or is behind the target.
 */
async function sortOwn({ link, publisher }: SeekingSurroundings, channel: Channel, { own, start }: Own): Promise<void> {
  if (own.length === 0) return
  const { stream } = channel.names
  const { state } = await link.admin('seek', (manager) => manager.streams.info(stream))
  const isKept = async (seq: number): Promise<boolean> => {
    if (channel.spec.retention !== undefined) return seq >= state.first_seq
    return (await link.find('seek', (manager) => manager.direct.getMessage(stream, { seq }))) != null
  }
  const records: OutgoingRecord[] = []
  const additions: Additions[] = []
  for (const { subject, header, data, seq, time } of own) {
    const { record, internals } = recordOf({ subject, headers: header, data }, channel, seq)
    const { origin, storedAtMs = time.getTime() } = internals
    if (origin !== undefined && (start.skips(origin, storedAtMs) || (await isKept(origin)))) continue
    records.push({ ...record, group: groupOf(subject), dueAtMs: undefined })
    additions.push({ internals: { ...dropUndefined(internals), storedAtMs }, server: [] })
  }
  const failure = (await publisher.publish(records, additions)).find(({ ok }) => !ok)
  if (failure?.ok === false) throw failure.error
  // Not by a purge of their subjects, for which a server takes everything else of the consumer for purged, too.
  await inParallel(own, ({ seq }) => link.find('seek', (manager) => manager.streams.deleteMessage(stream, seq, false)))
}

function dropUndefined<T extends object>(values: T): Partial<T> {
  return Object.fromEntries(Object.entries(values).filter(([, value]) => value !== undefined)) as Partial<T>
}
