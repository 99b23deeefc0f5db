import { PosthasteError, type Seeking, type SeekTarget } from '@posthaste/contracts'
import type { BrowsingPlace } from './browsing-place.ts'
import type { Cluster } from './cluster.ts'
import { hasCode, kafkaCodes, mapped } from './errors.ts'
import type { FoundGroup } from './groups.ts'
import type { Notes } from './notes.ts'
import { placeOf } from './place.ts'
import { fromOutside, memberCount, partitionPosition, readPositions } from './positions.ts'
import type { Routed } from './producer.ts'
import { fromKafka, internalHeaders } from './record-codec.ts'
import { notedGroup } from './registry.ts'
import { committedEnd, offsetsOf, scan } from './scan.ts'
import { Transactor } from './transactor.ts'
import { Window } from './window.ts'

/** Moving groups without members. */
export function seeking(place: BrowsingPlace, notes: Notes): Seeking {
  return {
    async seek(channel, group, target) {
      const found = await place.declared.group(channel, group)
      const refuse = (code: 'FAILED_PRECONDITION' | 'CONFLICT', why: string) =>
        new PosthasteError(code, `seek of ${group} in ${channel}: ${why}`)
      if (found.channel.spec.kind === 'queue')
        throw refuse('FAILED_PRECONDITION', 'a queue keeps nothing to go back to')
      if (found.entry.lifetime === 'temporary') throw refuse('FAILED_PRECONDITION', 'the group is temporary')
      checkTarget(target)
      const conflict = refuse('CONFLICT', 'the group has members')
      if ((await memberCount(place.cluster, found.groupId)) > 0) throw conflict
      try {
        await place.exclusively(`seek ${found.groupId}`, () => moveGroup(place, { found, notes, target }))
      } catch (error) {
        if (hasCode(error, kafkaCodes.unknownMember, kafkaCodes.illegalGeneration)) throw conflict
        throw mapped(error, `seek of ${group} in ${channel}`)
      }
    },
  }
}

function checkTarget(target: SeekTarget): void {
  if ('atMs' in target && Number.isNaN(target.atMs))
    throw new PosthasteError('INVALID_ARGUMENT', 'seek: the time is not a number')
  if ('position' in target && placeOf(target.position) === undefined)
    throw new PosthasteError('INVALID_ARGUMENT', `seek: ${target.position} is no position of this engine`)
}

interface Wish {
  readonly found: FoundGroup
  readonly notes: Notes
  readonly target: SeekTarget
}

/**
 * In one step: writes the new positions, forgets what was noted of the log, and publishes what was addressed to the group alone and is
 * not done again, at the end of its partition. What was addressed before that end counts as done from then on.
 */
async function moveGroup({ cluster, names }: BrowsingPlace, { found, notes, target }: Wish): Promise<void> {
  const { topic, groupId, entry, channel } = found
  const partitions = [...(await cluster.topic(topic)).leaders.keys()]
  const transactor = new Transactor(cluster, names.transactionalId(`move ${groupId}`))
  await transactor.fence()
  const [targets, ends, current] = await Promise.all([
    targetOffsets(cluster, topic, { partitions, target }),
    committedEnd(cluster, topic, partitions),
    readPositions(cluster, groupId, { topic, partitions }),
  ])
  const records: Routed[] = []
  for (const partition of partitions) {
    const window = new Window(current.get(partition) ?? { offset: 0, done: new Uint8Array(0), addressedFrom: 0 })
    const range = { topic, partition, from: window.watermark, until: ends.get(partition) ?? 0 }
    await scan(cluster, range, (page) => {
      for (const read of page) {
        const { internal } = fromKafka(read, '', { topic, partition })
        const isOurs = internal[internalHeaders.group] === entry.group && read.offset >= window.addressedFrom
        if (!isOurs || window.isDone(read.offset)) continue
        const { key, value, headers, id } = read
        records.push({ topic, partition, record: { key, value, headers, id }, bytes: (value?.length ?? 0) + 65_536 })
      }
    })
    const name = { channel: channel.spec.name, group: notedGroup(entry), range: String(partition) }
    const noted = await notes.load(name)
    const erased = noted.notes.filter(({ record }) => record.group === undefined)
    const changes = erased.map((note) => ({ name: note.name, record: undefined }))
    records.push(...notes.routed(name, changes, noted.orders))
  }
  const positions = partitions.map((partition) => {
    const addressedFrom = ends.get(partition) ?? 0
    const offset = targets.get(partition) ?? 0
    return partitionPosition(partition, { offset, done: new Uint8Array(0), addressedFrom })
  })
  await transactor.run({ records, positions: [fromOutside(groupId, topic, positions)] })
}

async function targetOffsets(
  cluster: Cluster,
  topic: string,
  { partitions, target }: { readonly partitions: readonly number[]; readonly target: SeekTarget },
): Promise<Map<number, number>> {
  const first = await offsetsOf(cluster, topic, { partitions, at: 'first' })
  if ('to' in target) return target.to === 'earliest' ? first : offsetsOf(cluster, topic, { partitions, at: 'end' })
  if ('atMs' in target) return atTime(cluster, topic, { partitions, atMs: target.atMs })
  const { partition, offset } = placeOf(target.position) as { partition: number; offset: number }
  // A position is of one partition; in the others the group begins at the time of that record.
  let atMs = 0
  const from = Math.max(offset, first.get(partition) ?? 0)
  if (from === offset)
    await scan(cluster, { topic, partition, from, until: from + 1 }, (records) => {
      atMs = records[0]?.timestampMs ?? 0
    })
  const others = await atTime(cluster, topic, { partitions, atMs })
  return others.set(partition, from)
}

async function atTime(
  cluster: Cluster,
  topic: string,
  { partitions, atMs }: { readonly partitions: readonly number[]; readonly atMs: number },
): Promise<Map<number, number>> {
  if (atMs === Number.POSITIVE_INFINITY) return offsetsOf(cluster, topic, { partitions, at: 'end' })
  const found = await offsetsOf(cluster, topic, { partitions, at: { atMs } })
  const end = await offsetsOf(cluster, topic, { partitions, at: 'end' })
  return new Map(
    partitions.map((each) => [each, (found.get(each) ?? -1) < 0 ? (end.get(each) ?? 0) : (found.get(each) ?? 0)]),
  )
}
