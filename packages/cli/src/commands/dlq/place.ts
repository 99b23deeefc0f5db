import { type Engine, type EventContract, PosthasteError, type Schema } from '@posthaste/contracts'
import type { DeadLetters } from 'posthaste/bus'
import { abilityOf } from '../../engine/abilities.ts'
import type { EngineSurroundings } from '../../engine/engine-command.ts'
import { listingOf } from '../../engine/listing.ts'

/** Whose dead letters. */
export interface Place {
  readonly channel: string
  readonly group: string
  /** Of those that an error rule has sent apart. */
  readonly target: string | undefined
}

const plain = /^posthaste\.dead\.([A-Za-z0-9_-]+)\.(.+)$/
const apart = /^posthaste\.deadto\.([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.(.+)$/
/** The one group of a command. */
const commandGroup = 'handler'

/** Whose dead letters stand in a channel; undefined where it is another one. */
export function placeIn(channelName: string): Place | undefined {
  const [, group, channel] = plain.exec(channelName) ?? []
  if (group !== undefined && channel !== undefined) return { channel, group, target: undefined }
  const [, target, ofGroup, of] = apart.exec(channelName) ?? []
  return ofGroup === undefined || of === undefined ? undefined : { channel: of, group: ofGroup, target }
}

/** Where that group's dead letters stand. */
export function channelNameOf({ channel, group, target }: Place): string {
  return target === undefined ? `posthaste.dead.${group}.${channel}` : `posthaste.deadto.${target}.${group}.${channel}`
}

/** Every place that has been made for dead letters. @throws CAPABILITY_UNSUPPORTED where the engine cannot tell */
export async function placesOf(engine: Engine): Promise<readonly Place[]> {
  const remedy = 'Name the channel and the group: posthaste dlq list <channel> --group <group>.'
  const channels = await abilityOf(engine, 'listing', remedy).channels()
  return channels.flatMap(({ name }) => placeIn(name) ?? [])
}

/**
 * The place that is meant where the group may be left out: the only one that there is, or that of a command.
 * @throws INVALID_ARGUMENT when there are several; NOT_FOUND when there is no such channel
 */
export async function placeOf(
  engine: Engine,
  { channel, group, target }: { channel: string; group: string | undefined; target: string | undefined },
): Promise<Place> {
  if (group !== undefined) return { channel, group, target }
  const listing = listingOf(engine)
  if (listing === undefined) return { channel, group: commandGroup, target }
  const found = (await placesOf(engine)).filter((each) => each.channel === channel && each.target === target)
  const [only, another] = found
  if (another !== undefined) {
    const names = found.map((each) => each.group).join(', ')
    throw new PosthasteError('INVALID_ARGUMENT', `${channel} has dead letters of several groups: ${names}`, {
      remedy: 'Name one with --group.',
    })
  }
  if (only !== undefined) return only
  // Says that there is none, where that is so.
  await listing.groups(channel)
  return { channel, group: commandGroup, target }
}

const anything: Schema = {
  '~standard': { version: 1, vendor: 'posthaste', validate: (value) => ({ value }) },
}

/** Does something with dead letters by means of the core, so that a redrive is what it is everywhere. */
export async function withDeadLetters<T>(
  place: Place,
  { engine, io, log, instance }: EngineSurroundings,
  work: (letters: DeadLetters) => Promise<T>,
): Promise<T> {
  const { createBus } = await import('posthaste/bus')
  const bus = createBus({ name: 'posthaste-cli', engine, clock: io.clock, log, instance })
  await bus.start()
  try {
    const { channel, group, target } = place
    // Nobody publishes to it here: it stands for the channel, whatever that was declared as.
    const contract: EventContract = { kind: 'event', type: channel, data: anything }
    return await work(bus.deadLetters(contract, target === undefined ? { group } : { group, target }))
  } finally {
    await bus.close()
  }
}

/** For people. */
export function placeText({ channel, group, target }: Place): string {
  return `${group} of ${channel}${target === undefined ? '' : ` under ${target}`}`
}
