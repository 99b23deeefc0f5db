import type { ChannelSpec, GroupSpec, Topology, TopologyDrift, TopologyReport } from '@posthaste/contracts'
import { PosthasteError } from '@posthaste/contracts'
import { Group } from './group/group.ts'
import type { GroupContext } from './group/group-context.ts'
import { ChannelLog, type LogContext } from './log/channel-log.ts'
import { Cursor } from './log/cursor.ts'
import { LogRetention } from './log/retention.ts'
import type { Participant } from './storage/committer.ts'
import type { Transaction } from './storage/store.ts'

/** A channel with its log and its groups. */
export interface Channel {
  readonly spec: ChannelSpec
  readonly log: ChannelLog
  /** What has been settled of a queue, whether or not it has a group. */
  readonly queueCursor: Cursor | undefined
  readonly groups: Map<string, ChannelGroup>
}

/** A group with the log of what is addressed to it alone. */
export interface ChannelGroup {
  readonly group: Group
  readonly returns: ChannelLog
}

interface ChannelRow {
  readonly spec: ChannelSpec
  readonly logId: number
  readonly cursorId: number
}

interface GroupRow {
  readonly channel: string
  readonly group: string
  readonly cursorId: number
  readonly returnsId: number
  readonly returnsCursorId: number
}

/** What the registry needs from the engine. */
export type TopologyContext = LogContext & GroupContext

const channelPrefix = 'channel/'
const groupPrefix = 'group/'
const nextIdKey = 'next-id'

/**
 * The channels and groups that exist, in memory and in the store. What was declared once stays until somebody deletes
 * the directory: a group keeps its place while nobody runs it.
 */
export class Registry implements Participant {
  readonly channels = new Map<string, Channel>()
  readonly #context: TopologyContext
  readonly #logs = new Map<number, ChannelLog>()
  #rows: { key: string; value: unknown }[] = []
  #nextId = 1

  constructor(context: TopologyContext) {
    this.#context = context
    this.#restore()
  }

  /** The log that has this id. */
  logOf(id: number): ChannelLog | undefined {
    return this.#logs.get(id)
  }

  /** Makes what is missing and names what differs. Durable when it resolves. */
  async declare(topology: Topology): Promise<TopologyReport> {
    const created: string[] = []
    const drift: TopologyDrift[] = []
    for (const spec of topology.channels) {
      const known = this.channels.get(spec.name)
      if (known !== undefined) drift.push(...driftOf(known.spec, spec))
      else {
        this.#createChannel(spec)
        created.push(spec.name)
      }
    }
    for (const spec of topology.groups) if (this.#declareGroup(spec)) created.push(`${spec.channel}@${spec.group}`)
    if (created.length > 0) await this.#context.committer.flushed()
    return { created, drift }
  }

  write(tx: Transaction): void {
    for (const { key, value } of this.#rows) tx.put('topology', Buffer.from(key), Buffer.from(JSON.stringify(value)))
    tx.put('topology', Buffer.from(nextIdKey), Buffer.from(JSON.stringify(this.#nextId)))
    this.#rows = []
  }

  committed(): void {}

  close(): void {
    for (const { log, groups } of this.channels.values()) {
      log.retention?.close()
      for (const { group } of groups.values()) group.close()
    }
  }

  #createChannel(spec: ChannelSpec): void {
    const row: ChannelRow = { spec, logId: this.#takeId(), cursorId: this.#takeId() }
    this.#put(channelPrefix + spec.name, row)
    this.#openChannel(row)
  }

  #openChannel({ spec, logId, cursorId }: ChannelRow): Channel {
    const log = this.#openLog(logId, spec)
    const queueCursor =
      spec.kind === 'queue' ? this.#cursor({ id: cursorId, log, exclusive: true }, log.next) : undefined
    if (spec.kind === 'log') log.retention = new LogRetention(log, this.#context)
    const channel: Channel = { spec, log, queueCursor, groups: new Map() }
    this.channels.set(spec.name, channel)
    return channel
  }

  #declareGroup(spec: GroupSpec): boolean {
    const channel = this.channels.get(spec.channel)
    if (channel === undefined)
      throw new PosthasteError('NOT_FOUND', `group '${spec.group}': there is no channel '${spec.channel}'`)
    if (channel.groups.has(spec.group)) return false
    const other = [...channel.groups.keys()][0]
    if (channel.spec.kind === 'queue' && other !== undefined) {
      throw new PosthasteError(
        'TOPOLOGY_DRIFT',
        `queue '${spec.channel}' belongs to the group '${other}', not to '${spec.group}'`,
      )
    }
    const row: GroupRow = {
      channel: spec.channel,
      group: spec.group,
      cursorId: this.#takeId(),
      returnsId: this.#takeId(),
      returnsCursorId: this.#takeId(),
    }
    this.#put(`${groupPrefix}${spec.channel}/${spec.group}`, row)
    this.#openGroup(row, spec.from === 'earliest' ? channel.log.oldest() : channel.log.next)
    return true
  }

  #openGroup(row: GroupRow, startAt: number): void {
    const channel = this.channels.get(row.channel)!
    const returns = this.#openLog(row.returnsId, channel.spec, channel.log)
    const group = new Group({ channel: row.channel, name: row.group }, this.#context)
    group.attach(channel.queueCursor ?? this.#cursor({ id: row.cursorId, log: channel.log, exclusive: false }, startAt))
    group.attach(this.#cursor({ id: row.returnsCursorId, log: returns, exclusive: true }, returns.next))
    channel.groups.set(row.group, { group, returns })
  }

  #openLog(id: number, spec: ChannelSpec, main?: ChannelLog): ChannelLog {
    const log = new ChannelLog({ id, spec, main }, this.#context)
    this.#logs.set(id, log)
    return log
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
      if (key.startsWith(groupPrefix)) this.#openGroup(value as GroupRow, 0)
    }
  }

  #takeId(): number {
    return this.#nextId++
  }

  #put(key: string, value: unknown): void {
    this.#rows.push({ key, value })
    this.#context.committer.join(this)
  }
}

function driftOf(found: ChannelSpec, wanted: ChannelSpec): TopologyDrift[] {
  const settings = (spec: ChannelSpec): Record<string, unknown> => ({
    kind: spec.kind,
    keyed: spec.keyed,
    'retention.forMs': spec.retention?.forMs,
    'retention.bytesMax': spec.retention?.bytesMax,
  })
  const has = settings(found)
  return Object.entries(settings(wanted))
    .filter(([setting, value]) => has[setting] !== value)
    .map(([setting, value]) => ({ name: wanted.name, setting, wanted: String(value), found: String(has[setting]) }))
}
