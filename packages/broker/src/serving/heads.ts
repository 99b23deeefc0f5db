import {
  malformed,
  type PublishBeginning,
  type SentPreparedQuery,
  type SessionBeginning,
  type SubscribeBeginning,
  type WatchBeginning,
} from '@posthaste/broker/protocol'
import type {
  BrowseQuery,
  ChannelSpec,
  GroupSpec,
  PatternGroupSpec,
  PreparedName,
  RecordMatch,
  Retention,
  SeekTarget,
  Topology,
} from '@posthaste/contracts'
import { Head } from './head.ts'

/*
 * What each call and each stream begins with. Every function here takes what JSON may be, and throws BODY_MALFORMED where it is
 * anything else than a client says; whether it makes sense is for whoever acts on it.
 */

// ── Streams ─────────────────────────────────────────────────────────────────────────────────────────────────────────

/** What a session begins with, once it is agreed in which version. */
export type SessionAsked = Omit<SessionBeginning, 'version' | 'versions'>

/** The versions that a client speaks; of the others nothing else can be read. */
export function versionsOf(value: unknown): readonly number[] {
  const head = new Head(value)
  const spoken = head.any('versions') ?? [head.any('version')]
  return Array.isArray(spoken) ? spoken.filter(isWhole) : []
}

export function sessionBeginning(value: unknown): SessionAsked {
  const head = new Head(value)
  return {
    session: head.text('session'),
    resume: head.maybeFlag('resume') ?? false,
    abandoned: head.maybeText('abandoned'),
    instance: head.text('instance'),
    sessionMs: head.number('sessionMs'),
  }
}

export function publishBeginning(value: unknown): PublishBeginning {
  const head = new Head(value)
  return { session: head.text('session'), answered: head.whole('answered'), afresh: head.maybeFlag('afresh') ?? false }
}

export function subscribeBeginning(value: unknown): SubscribeBeginning {
  const head = new Head(value)
  const credit = head.whole('credit')
  if (credit < 0) throw malformed('credit must not be below 0')
  return {
    session: head.text('session'),
    subscription: head.whole('subscription'),
    channel: head.text('channel'),
    group: head.text('group'),
    member: head.text('member'),
    credit,
    holding: head.maybeValues('holding')?.map((run) => pair(run, 'a run of tags', isWhole, isWhole)),
  }
}

export function watchBeginning(value: unknown): WatchBeginning {
  const head = new Head(value)
  return { pattern: head.text('pattern'), watch: head.whole('watch'), isOver: head.maybeFlag('isOver') ?? false }
}

// ── Calls ───────────────────────────────────────────────────────────────────────────────────────────────────────────

export function topologyOf(value: unknown): Topology {
  const head = new Head(value)
  return { channels: head.list('channels', channelSpec), groups: head.list('groups', groupSpec) }
}

function channelSpec(head: Head): ChannelSpec {
  const retention = head.maybeObject('retention')
  return {
    name: head.text('name'),
    kind: head.choice('kind', ['log', 'queue']),
    keyed: head.flag('keyed'),
    retention: retention && retentionOf(retention),
    priorities: head.maybeNumber('priorities'),
    deduplicateForMs: head.maybeNumber('deduplicateForMs'),
  }
}

function retentionOf(head: Head): Retention {
  const [forMs, bytesMax] = [head.maybeNumber('forMs'), head.maybeNumber('bytesMax')]
  return { ...(forMs === undefined ? {} : { forMs }), ...(bytesMax === undefined ? {} : { bytesMax }) }
}

function groupSpec(head: Head): GroupSpec {
  return { channel: head.text('channel'), ...groupSettings(head) }
}

function groupSettings(head: Head): Omit<GroupSpec, 'channel'> {
  return {
    group: head.text('group'),
    from: head.choice('from', ['next', 'earliest']),
    lifetime: head.maybeChoice('lifetime', ['durable', 'temporary']),
  }
}

export function patternGroupSpec(value: unknown): PatternGroupSpec {
  const head = new Head(value)
  return { pattern: head.text('pattern'), ...groupSettings(head) }
}

/** A channel, and nothing else. */
export function channelOf(value: unknown): string {
  return new Head(value).text('channel')
}

export function groupOf(value: unknown): Pick<GroupSpec, 'channel' | 'group'> {
  const head = new Head(value)
  return { channel: head.text('channel'), group: head.text('group') }
}

export function nameOf(value: unknown): PreparedName {
  return readName(new Head(value))
}

export function namesOf(value: unknown): readonly PreparedName[] {
  return new Head(value).list('names', readName)
}

function readName(head: Head): PreparedName {
  return { channel: head.text('channel'), id: head.text('id') }
}

export function browseQuery(value: unknown): BrowseQuery {
  const head = new Head(value)
  const match = head.maybeObject('match')
  return {
    channel: head.text('channel'),
    after: head.maybeText('after'),
    limit: head.number('limit'),
    match: match && recordMatch(match),
  }
}

function recordMatch(head: Head): RecordMatch {
  return {
    id: head.maybeText('id'),
    key: head.maybeText('key'),
    correlationId: head.maybeText('correlationId'),
    sinceMs: head.maybeNumber('sinceMs', Number.NEGATIVE_INFINITY),
    untilMs: head.maybeNumber('untilMs'),
  }
}

/**
 * From where, and for each position how many of the records that follow take its place.
 * @param records that there are
 */
export function movesOf(
  value: unknown,
  records: number,
): {
  readonly channel: string
  readonly moves: readonly (readonly [position: string, count: number])[]
} {
  const head = new Head(value)
  const isCount = (each: unknown): each is number => isWhole(each) && each >= 0
  const moves = head.values('moves').map((each) => pair(each, 'a move', isText, isCount))
  if (moves.reduce((sum, [, count]) => sum + count, 0) !== records)
    throw malformed('records and moves do not go together')
  return { channel: head.text('channel'), moves }
}

export function seekOf(value: unknown): Pick<GroupSpec, 'channel' | 'group'> & { readonly target: SeekTarget } {
  const target = new Head(value).object('target')
  const [to, atMs] = [target.maybeChoice('to', ['earliest', 'next']), target.maybeNumber('atMs')]
  if (to !== undefined) return { ...groupOf(value), target: { to } }
  return { ...groupOf(value), target: atMs === undefined ? { position: target.text('position') } : { atMs } }
}

/** When somebody is to be asked; infinite: never. */
export function checkAtOf(value: unknown): number {
  return new Head(value).maybeNumber('checkAtMs') ?? Number.POSITIVE_INFINITY
}

export function postponementOf(value: unknown): PreparedName {
  return readName(new Head(value).object('name'))
}

export function preparedQuery(value: unknown): SentPreparedQuery {
  const head = new Head(value)
  const after = head.maybeObject('after')
  return {
    channel: head.text('channel'),
    limit: head.number('limit'),
    after: after && { id: after.text('id'), checkAtMs: after.maybeNumber('checkAtMs') ?? null },
  }
}

export function snapshotOf(value: unknown): string {
  return new Head(value).text('name')
}

// ── Parts ───────────────────────────────────────────────────────────────────────────────────────────────────────────

function isText(value: unknown): value is string {
  return typeof value === 'string'
}

function isWhole(value: unknown): value is number {
  return Number.isSafeInteger(value)
}

type Is<T> = (value: unknown) => value is T

function pair<A, B>(value: unknown, what: string, ...[isFirst, isSecond]: [Is<A>, Is<B>]): readonly [A, B] {
  if (Array.isArray(value) && value.length === 2) {
    const [first, second]: readonly unknown[] = value
    if (isFirst(first) && isSecond(second)) return [first, second]
  }
  throw malformed(`${what} cannot be read`)
}
