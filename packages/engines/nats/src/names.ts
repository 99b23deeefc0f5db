import { createHash } from 'node:crypto'

/*
 * How names map to the server's objects. Names of streams, consumers and the parts of a subject hold no dots, so a dot in
 * a name of ours is written `=`, which no name of ours contains: one to one, and foreign clients can do the same.
 */

/** A channel's or group's name as one token. */
export function tokenOf(name: string): string {
  return name.replaceAll('.', '=')
}

/** What {@link tokenOf} was made of. */
export function nameOf(token: string): string {
  return token.replaceAll('=', '.')
}

/** A group of a channel, as it stands in keys. */
export function groupKey(channel: string, group: string): string {
  return `${tokenOf(channel)}.${tokenOf(group)}`
}

/** The stream of a channel, and the subjects in it. */
export interface ChannelNames {
  readonly stream: string
  /** Everything of the channel that is to be consumed. */
  readonly records: string
  /** What waits for its time: `<later>.<to>.<range>.<id>.<nonce>`. */
  readonly later: string
  /** Where a record goes: to all groups or one, and in a keyed channel into a range. */
  subject(group: string | undefined, range: number | undefined): string
}

/** The names of one installation. */
export interface Names {
  readonly prefix: string
  channel(name: string, keyed: boolean): ChannelNames
  /** The subjects of all channels. */
  readonly channels: string
  /** The channel of a stream; undefined where its name is none that {@link Names.channel} makes. */
  channelOf(stream: string): string | undefined
  /** The durable consumer of a group, in a keyed channel one for each range. */
  consumer(group: string, range?: number): string
  /** The group of a consumer, and the range that it reads; undefined where its name is none that `consumer` makes. */
  groupOf(consumer: string): { readonly group: string; readonly range: number | undefined } | undefined
  /** A key-value bucket and the stream and subjects behind it. */
  readonly members: BucketNames
  readonly notes: BucketNames
}

/** A key-value bucket. */
export interface BucketNames {
  readonly stream: string
  /** Stands before each key, with its dot. */
  readonly subject: string
}

export function namesFor(prefix: string): Names {
  const bucket = (name: string): BucketNames => ({ stream: `KV_${prefix}-${name}`, subject: `$KV.${prefix}-${name}.` })
  return {
    prefix,
    channel: (name, keyed) => channelNames(prefix, name, keyed),
    channels: `${prefix}.>`,
    channelOf: (stream) => channelOf(prefix, stream),
    groupOf,
    consumer: (group, range) => (range === undefined ? tokenOf(group) : `${tokenOf(group)}@${range}`),
    members: bucket('members'),
    notes: bucket('notes'),
  }
}

/** Whom a record is for, as a token. */
export function addressee(group: string | undefined): string {
  return group === undefined ? 'all' : `@${tokenOf(group)}`
}

function channelNames(prefix: string, name: string, keyed: boolean): ChannelNames {
  const base = `${prefix}.${tokenOf(name)}`
  return {
    stream: `${prefix}=${tokenOf(name)}`,
    records: keyed ? `${base}.*.*` : `${base}.*`,
    later: `${base}.later`,
    subject: (group, range) => `${base}.${addressee(group)}${range === undefined ? '' : `.${range}`}`,
  }
}

function channelOf(prefix: string, stream: string): string | undefined {
  const start = `${prefix}=`
  const token = stream.startsWith(start) ? stream.slice(start.length) : ''
  return /^[A-Za-z0-9_=-]+$/.test(token) ? nameOf(token) : undefined
}

function groupOf(consumer: string): ReturnType<Names['groupOf']> {
  const [, token, range] = /^([A-Za-z0-9_=-]+)(?:@(\d+))?$/.exec(consumer) ?? []
  return token === undefined
    ? undefined
    : { group: nameOf(token), range: range === undefined ? undefined : Number(range) }
}

const tokenUnitsMax = 80

/** Any text as one token of a subject: equal for equal texts, and practically never for others. */
export function idToken(id: string): string {
  if (id.length <= tokenUnitsMax) return Buffer.from(id).toString('base64url') || '-'
  return `~${createHash('sha256').update(id).digest('base64url')}`
}
