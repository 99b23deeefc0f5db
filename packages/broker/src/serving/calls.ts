import { join } from 'node:path'
import { type CallName, type Parcel, packParcel, type SentPrepared, sentError } from '@posthaste/broker/protocol'
import {
  type BrowseQuery,
  type Lag,
  type Outcome,
  type OutgoingRecord,
  PosthasteError,
  type PreparedName,
} from '@posthaste/contracts'
import type { Grants } from '../access/grants.ts'
import type { Right } from '../access/rights.ts'
import type { Asked } from './asked.ts'
import { declaring, following } from './declaring.ts'
import { denied, tooLarge } from './denied.ts'
import {
  browseQuery,
  channelOf,
  checkAtOf,
  groupOf,
  movesOf,
  nameOf,
  namesOf,
  patternGroupSpec,
  postponementOf,
  preparedQuery,
  seekOf,
  snapshotOf,
  topologyOf,
} from './heads.ts'
import { browsePage, preparedPage } from './pages.ts'
import type { Surroundings } from './surroundings.ts'

/** Answers a call. */
export type Answering = (parcel: Parcel, asked: Asked) => Promise<Uint8Array>

function need({ permissions, user }: Grants, right: Right, channel: string): void {
  if (!permissions.may(right, channel)) throw denied(user, right, `'${channel}'`)
}

function needAny({ permissions, user }: Grants, channel: string): void {
  if (!permissions.mayAny(channel)) throw denied(user, 'consume', `'${channel}'`)
}

/** @throws BODY_TOO_LARGE */
function checkSize({ id, body }: OutgoingRecord, { config }: Surroundings): void {
  if (body.byteLength > config.limits.bodyBytesMax) throw tooLarge(id, config.limits.bodyBytesMax)
}

function answer(head: unknown, about: readonly { readonly record: OutgoingRecord }[] = []): Uint8Array {
  const records = about.map(({ record }) => record)
  return packParcel(head, records)
}

function outcomes(list: readonly Outcome[]): Uint8Array {
  return answer(list.map((outcome) => (outcome.ok ? null : sentError(outcome.error))))
}

/** JSON has no infinity. */
const never = Number.POSITIVE_INFINITY

/** What clients may ask for, by name. */
export const answering: Readonly<Record<CallName, Answering>> = {
  declare: async ({ head }, asked) => answer(await declaring(topologyOf(head), asked)),
  async topology(_, { grants, around }) {
    const { channels, groups } = around.engine.topology()
    const sees = (channel: string): boolean => grants.permissions.mayAny(channel)
    return answer({
      channels: channels.filter(({ name }) => sees(name)),
      groups: groups.filter(({ channel }) => sees(channel)),
    })
  },
  async channels(_, { grants, around }) {
    const channels = (await around.engine.listing?.channels()) ?? []
    return answer(channels.filter(({ name }) => grants.permissions.mayAny(name)))
  },
  async groups({ head }, { grants, around }) {
    const channel = channelOf(head)
    needAny(grants, channel)
    return answer((await around.engine.listing?.groups(channel)) ?? [])
  },
  async clients(_, { grants, around }) {
    if (!grants.permissions.managesAll) throw denied(grants.user, 'manage', 'all channels')
    return answer(around.clients())
  },
  async cancel({ head }, { grants, around }) {
    const { channel, id } = nameOf(head)
    need(grants, 'publish', channel)
    return answer((await around.engine.scheduling?.cancel(channel, id)) ?? false)
  },
  async dueAt({ head }, { grants, around }) {
    const { channel, id } = nameOf(head)
    needAny(grants, channel)
    return answer((await around.engine.scheduling?.dueAt(channel, id)) ?? null)
  },
  browse: async ({ head }, asked) => browse(browseQuery(head), asked),
  move: async (parcel, asked) => move(parcel, asked),
  async lag({ head }, { grants, around }) {
    const { channel, group } = groupOf(head)
    needAny(grants, channel)
    return answer((await around.engine.lag?.lag(channel, group)) as Lag)
  },
  async seek({ head }, { grants, around }) {
    const { channel, group, target } = seekOf(head)
    need(grants, 'manage', channel)
    await around.engine.seeking?.seek(channel, group, target)
    return answer(null)
  },
  async prepare({ head, records }, { grants, around }) {
    const checkAtMs = checkAtOf(head)
    const [record] = records
    if (record === undefined) throw new PosthasteError('BODY_MALFORMED', 'there is no record to prepare')
    need(grants, 'publish', record.channel)
    checkSize(record, around)
    return outcomes([(await around.engine.preparing?.prepare(record, checkAtMs)) as Outcome])
  },
  commit: async ({ head }, asked) => decide(namesOf(head), asked, 'commit'),
  rollback: async ({ head }, asked) => decide(namesOf(head), asked, 'rollback'),
  async postpone({ head }, { grants, around }) {
    const [name, checkAtMs] = [postponementOf(head), checkAtOf(head)]
    need(grants, 'publish', name.channel)
    return outcomes([(await around.engine.preparing?.postpone(name, checkAtMs)) as Outcome])
  },
  async prepared({ head }, { grants, around }) {
    const { channel, limit, after } = preparedQuery(head)
    need(grants, 'publish', channel)
    const place = after && { id: after.id, checkAtMs: after.checkAtMs ?? never }
    const { records, isAll } = await preparedPage({ channel, limit, after: place }, around)
    const rows = records.map(({ preparedAtMs, checkAtMs, checks }) => [preparedAtMs, checkAtMs, checks] as const)
    const page: SentPrepared = { rows, isAll }
    return answer(page, records)
  },
  async declarePattern({ head }, { grants, around, session }) {
    const spec = patternGroupSpec(head)
    if (!grants.permissions.mayFollow(spec.pattern)) throw denied(grants.user, 'consume', `'${spec.pattern}'`)
    await following(spec, { grants, around, session })
    return answer(null)
  },
  async snapshot({ head }, { grants, around }) {
    const name = snapshotOf(head)
    if (!grants.permissions.managesAll) throw denied(grants.user, 'manage', 'all channels')
    if (!/^[A-Za-z0-9_-][A-Za-z0-9._-]{0,119}$/.test(name))
      throw new PosthasteError('INVALID_ARGUMENT', 'a snapshot is named by 1 to 120 of A-Z a-z 0-9 . _ -')
    const dir = join(around.config.snapshotsDir, name)
    await around.engine.snapshot(dir)
    return answer(dir)
  },
}

async function decide(names: readonly PreparedName[], { grants, around }: Asked, how: 'commit' | 'rollback') {
  for (const { channel } of names) need(grants, 'publish', channel)
  return outcomes((await around.engine.preparing?.[how](names)) ?? [])
}

async function browse(query: BrowseQuery, { grants, around }: Asked): Promise<Uint8Array> {
  need(grants, 'manage', query.channel)
  const { records, next } = await browsePage(query, around)
  const rows = records.map(({ position, storedAtMs }) => [position, storedAtMs])
  return answer({ rows, next }, records)
}

async function move({ head, records }: Parcel, { grants, around }: Asked): Promise<Uint8Array> {
  const { channel, moves } = movesOf(head, records.length)
  need(grants, 'manage', channel)
  for (const record of records) {
    if (record.group === undefined) need(grants, 'publish', record.channel)
    else if (!grants.permissions.mayReturn(channel, record.channel))
      throw denied(grants.user, 'publish', `to '${record.channel}'`)
    checkSize(record, around)
  }
  let at = 0
  const taken = moves.map(([position, count]) => {
    const publish = records.slice(at, at + count)
    at += count
    return { position, publish }
  })
  return outcomes((await around.engine.browsing?.move(channel, taken)) ?? [])
}
