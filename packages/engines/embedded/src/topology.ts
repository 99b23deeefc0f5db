import type {
  ChannelSpec,
  GroupSpec,
  Log,
  PatternGroupSpec,
  Topology,
  TopologyDrift,
  TopologyReport,
} from '@posthaste/contracts'
import { channelDrift, checkTopology, lifetimeDrift, PosthasteError } from '@posthaste/contracts'
import { type Channel, type ChannelGroup, type ChannelLane, inletOf } from './channel.ts'
import { KnownIds } from './deduplication.ts'
import { Dismissal, type Dismissed } from './dismissal.ts'
import { capabilities } from './features.ts'
import { Group } from './group/group.ts'
import type { GroupContext } from './group/group-context.ts'
import { ChannelLog, type LogContext, type LogIdentity } from './log/channel-log.ts'
import { Cursor } from './log/cursor.ts'
import { LogRetention } from './log/retention.ts'
import { PatternGroups, type PatternMemory } from './patterns.ts'
import type { ScheduleTarget } from './scheduler.ts'
import type { Participant } from './storage/committer.ts'
import type { Transaction } from './storage/store.ts'
import {
  type ChannelRow,
  channelPrefix,
  type GroupLaneIds,
  type GroupRow,
  gonePrefix,
  groupPrefix,
  type LaneIds,
  lanesOf,
  nextIdKey,
  patternPrefix,
} from './topology-rows.ts'

/** What the registry needs from the engine. */
export type TopologyContext = LogContext & GroupContext & { readonly log: Log; readonly patterns: PatternMemory }

/** Where a group of a log begins. */
type StartAt = (log: ChannelLog) => number

/**
 * The channels and groups that exist, in memory and in the store. What was declared once stays until somebody deletes
 * the directory: a group keeps its place while nobody runs it.
 */
export class Registry implements Participant {
  readonly channels = new Map<string, Channel>()
  readonly patterns: PatternGroups
  readonly #context: TopologyContext
  /** Where records go that wait for their time, by the id of the lowest log. */
  readonly #inlets = new Map<number, ScheduleTarget>()
  readonly #dismissal: Dismissal
  #rows: { key: string; value: unknown }[] = []
  #nextId = 1

  constructor(context: TopologyContext) {
    this.#context = context
    this.#dismissal = new Dismissal(context)
    this.patterns = new PatternGroups({
      channels: this.channels,
      log: context.log,
      memory: context.patterns,
      addGroup: (spec) => this.#addGroup(spec),
      removeGroup: (channel, group) => this.#removeIfDeserted(this.channel(channel), group),
      put: (key, value) => this.#put(key, value),
    })
    try {
      this.#restore()
    } catch (error) {
      // What has begun to keep time must not look into a store that is closed.
      this.close()
      throw error
    }
  }

  /** Where records go in that were scheduled under this id. */
  inletOf(id: number): ScheduleTarget | undefined {
    return this.#inlets.get(id)
  }

  /** @throws NOT_FOUND */
  channel(name: string): Channel {
    const channel = this.channels.get(name)
    if (channel === undefined) throw new PosthasteError('NOT_FOUND', `no channel '${name}' is declared`)
    return channel
  }

  /** @throws NOT_FOUND */
  group(channel: string, group: string): ChannelGroup {
    const found = this.channels.get(channel)?.groups.get(group)
    if (found === undefined) throw new PosthasteError('NOT_FOUND', `no group '${group}' is declared on '${channel}'`)
    return found
  }

  /** Makes what is missing and names what differs. Durable when it resolves. */
  async declare(topology: Topology): Promise<TopologyReport> {
    checkTopology(topology, { capabilities, kindOf: (name) => this.channels.get(name)?.spec.kind })
    const created: string[] = []
    const drift: TopologyDrift[] = []
    for (const spec of topology.channels) {
      const known = this.channels.get(spec.name)
      if (known !== undefined) drift.push(...channelDrift(known.spec, spec))
      else {
        this.#createChannel(spec)
        created.push(spec.name)
      }
    }
    for (const spec of topology.groups) {
      const channel = this.channel(spec.channel)
      const known = channel.groups.get(spec.group)
      const [other] = channel.groups.keys()
      if (known !== undefined) drift.push(...lifetimeDrift(known.row.lifetime, spec))
      else if (channel.spec.kind === 'queue' && other !== undefined)
        drift.push({ name: spec.channel, setting: 'group', wanted: spec.group, found: other })
      else {
        this.#addGroup(spec)
        created.push(`${spec.channel}@${spec.group}`)
      }
    }
    // Also what somebody else has made a moment ago.
    await this.#context.committer.flushed()
    this.patterns.announce()
    return { created, drift }
  }

  write(tx: Transaction): void {
    for (const { key, value } of this.#rows) {
      if (value === undefined) tx.remove('topology', Buffer.from(key))
      else tx.put('topology', Buffer.from(key), Buffer.from(JSON.stringify(value)))
    }
    tx.put('topology', Buffer.from(nextIdKey), Buffer.from(JSON.stringify(this.#nextId)))
    this.#rows = []
  }

  committed(): void {}

  /** A member has left a group: if it was the last of a temporary one, that goes. Durable with the next transaction. */
  left(group: Group): void {
    const channel = this.channel(group.channel)
    if (channel.groups.get(group.name)?.group !== group) return
    if (this.#removeIfDeserted(channel, group.name)) this.patterns.left()
  }

  /** Takes out a temporary group that has no members. */
  #removeIfDeserted({ groups }: Channel, name: string): boolean {
    const found = groups.get(name)
    if (found?.row.lifetime !== 'temporary' || found.group.hasMembers) return false
    groups.delete(name)
    this.#inlets.delete(found.inlet.id)
    found.group.end()
    this.#put(keyOf(found.row), undefined)
    this.#dismiss(dismissedOf(found.row))
    return true
  }

  /** Lets a group without members read its log from another place on. Durable with the next transaction. */
  move({ row, group, returns, inlet }: ChannelGroup, startAt: StartAt): void {
    const channel = this.channel(row.channel)
    const lanes = lanesOf<GroupLaneIds>(row).map((ids) => ({ ...ids, cursorId: this.#takeId() }))
    const cursors = lanes.map(({ cursorId: id }, level) => {
      const { log } = channel.lanes[level]!
      return this.#cursor({ id, log, exclusive: false }, startAt(log))
    })
    group.moveTo(cursors.reverse())
    const [lowest, ...above] = lanes
    const moved: GroupRow = { ...row, ...lowest, above: row.above && above }
    channel.groups.set(row.group, { row: moved, group, returns, inlet })
    this.#put(keyOf(row), moved)
    this.#dismiss({ cursors: lanesOf<GroupLaneIds>(row).map(({ cursorId }) => cursorId), logs: [] })
  }

  close(): void {
    for (const { lanes, groups, knownIds } of this.channels.values()) {
      knownIds?.close()
      for (const { log } of lanes) log.retention?.close()
      for (const { group } of groups.values()) group.close()
    }
  }

  #createChannel(spec: ChannelSpec): void {
    const lane = (): LaneIds => ({ logId: this.#takeId(), cursorId: this.#takeId() })
    const row: ChannelRow = { spec, ...lane(), above: levelsAbove(spec, lane) }
    this.#put(channelPrefix + spec.name, row)
    this.patterns.added(this.#openChannel(row))
  }

  #openChannel(row: ChannelRow): Channel {
    const { spec } = row
    const lanes = lanesOf<LaneIds>(row).map((ids, level) => this.#openLane(ids, { spec, level }))
    const logs = lanes.map(({ log }) => log)
    const inlet = inletOf(logs)
    this.#inlets.set(inlet.id, inlet)
    if (spec.kind === 'log') {
      const retention = new LogRetention(logs, this.#context)
      for (const log of logs) log.retention = retention
    }
    const { name, deduplicateForMs: windowMs } = spec
    const knownIds =
      windowMs === undefined ? undefined : new KnownIds({ logId: inlet.id, channel: name, windowMs }, this.#context)
    const channel: Channel = { spec, inlet, lanes, groups: new Map(), knownIds }
    this.channels.set(spec.name, channel)
    return channel
  }

  #openLane({ logId, cursorId }: LaneIds, of: { spec: ChannelSpec; level: number }): ChannelLane {
    const log = this.#openLog({ id: logId, ...of })
    if (of.spec.kind === 'queue')
      return { log, queueCursor: this.#cursor({ id: cursorId, log, exclusive: true }, log.next) }
    return { log, queueCursor: undefined }
  }

  #addGroup(spec: GroupSpec): void {
    const channel = this.channel(spec.channel)
    const lane = (): GroupLaneIds => ({
      cursorId: this.#takeId(),
      returnsId: this.#takeId(),
      returnsCursorId: this.#takeId(),
    })
    const { group, lifetime } = spec
    const row: GroupRow = { channel: spec.channel, group, lifetime, ...lane(), above: levelsAbove(channel.spec, lane) }
    this.#put(keyOf(row), row)
    this.#openGroup(row, spec.from === 'earliest' ? (log) => log.oldest() : (log) => log.next)
  }

  #openGroup(row: GroupRow, startAt: StartAt): void {
    const channel = this.channels.get(row.channel)!
    const group = new Group({ channel: row.channel, name: row.group }, this.#context)
    const returns: ChannelLog[] = []
    const cursors = lanesOf<GroupLaneIds>(row).map((ids, level) => {
      const { log, queueCursor } = channel.lanes[level]!
      const own = this.#openLog({ id: ids.returnsId, spec: channel.spec, level, main: log })
      returns.push(own)
      return {
        channel: queueCursor ?? this.#cursor({ id: ids.cursorId, log, exclusive: false }, startAt(log)),
        returns: this.#cursor({ id: ids.returnsCursorId, log: own, exclusive: true }, own.next),
      }
    })
    for (const each of cursors.reverse()) group.attach(each)
    const inlet = inletOf(returns)
    this.#inlets.set(inlet.id, inlet)
    channel.groups.set(row.group, { row, group, returns, inlet })
  }

  #openLog(identity: LogIdentity): ChannelLog {
    return new ChannelLog(identity, this.#context)
  }

  #cursor(identity: { id: number; log: ChannelLog; exclusive: boolean }, startAt: number): Cursor {
    const { committer, store } = this.#context
    return Cursor.restore(identity, committer, store) ?? Cursor.create(identity, committer, startAt)
  }

  #restore(): void {
    const rows = this.#context.store.rows('topology', { from: Buffer.alloc(1), to: Buffer.alloc(1, 0xff) })
    const parsed = rows.map(({ key, value }) => ({
      key: key.toString(),
      value: JSON.parse(value.toString()) as unknown,
    }))
    for (const { key, value } of parsed) {
      if (key.startsWith(channelPrefix)) this.#openChannel(value as ChannelRow)
      else if (key === nextIdKey) this.#nextId = value as number
    }
    for (const { key, value } of parsed) {
      if (key.startsWith(groupPrefix)) this.#restoreGroup(value as GroupRow)
      else if (key.startsWith(patternPrefix)) this.patterns.restore(value as PatternGroupSpec)
      else if (key.startsWith(gonePrefix)) this.#dismissal.add(value as Dismissed, key)
    }
    this.patterns.restored()
  }

  /** The members of temporary groups went with the process that they were of. */
  #restoreGroup(row: GroupRow): void {
    if (row.lifetime === 'temporary') {
      this.#put(keyOf(row), undefined)
      const dismissed = dismissedOf(row)
      this.#dismissal.add(dismissed, this.#noted(dismissed))
    } else this.#openGroup(row, () => 0)
  }

  /** Has the rows of these ids removed, after all that is on its way there now. */
  #dismiss(dismissed: Dismissed): void {
    const note = this.#noted(dismissed)
    this.#context.committer.flushed().then(
      () => this.#dismissal.add(dismissed, note),
      () => {}, // They are found at the next opening.
    )
  }

  /** Remembers ids until all that stands under them is gone. */
  #noted(dismissed: Dismissed): string {
    const note = `${gonePrefix}${dismissed.cursors[0]}`
    this.#put(note, dismissed)
    return note
  }

  #takeId(): number {
    return this.#nextId++
  }

  #put(key: string, value: unknown): void {
    this.#rows.push({ key, value })
    this.#context.committer.join(this)
  }
}

function keyOf({ channel, group }: GroupRow): string {
  return `${groupPrefix}${channel}/${group}`
}

/** All that is a group's own. */
function dismissedOf(row: GroupRow): Dismissed {
  const lanes = lanesOf<GroupLaneIds>(row)
  return {
    cursors: lanes.flatMap(({ cursorId, returnsCursorId }) => [cursorId, returnsCursorId]),
    logs: lanes.map(({ returnsId }) => returnsId),
  }
}

/** What each level of priority above the lowest has; undefined where there is none. */
function levelsAbove<T>({ priorities = 1 }: ChannelSpec, make: () => T): T[] | undefined {
  return priorities > 1 ? Array.from({ length: priorities - 1 }, make) : undefined
}
