import {
  type ChannelSpec,
  type Engine,
  type EngineCapabilities,
  type GroupSpec,
  type MaybePromise,
  type MessageContract,
  PosthasteError,
  type Topology,
} from '@posthaste/contracts'
import { commandGroup } from './consuming/options.ts'

const reservedPrefix = 'posthaste.'

/**
 * Types say it to TypeScript; this says it to JavaScript.
 * @throws CONTRACT_INVALID when something is no contract of a message
 */
export function checkContract(given: unknown): void {
  const { kind, type } = (given ?? {}) as Partial<MessageContract>
  if ((kind === 'event' || kind === 'command') && typeof type === 'string') return
  throw new PosthasteError('CONTRACT_INVALID', 'what was given is neither an event nor a command', {
    remedy: 'Give what event() or command() has made.',
  })
}

/**
 * The same for a contract that must be of one kind.
 * @throws CONTRACT_INVALID
 */
export function checkKind(contract: MessageContract, kind: MessageContract['kind'], method: string): void {
  if (contract?.kind === kind) return
  checkContract(contract)
  const message = `${method} takes ${kind}s, and ${contract.type} is another kind of contract`
  throw new PosthasteError('CONTRACT_INVALID', message, {
    remedy:
      'Publish events and follow them with on or onBatch; send commands and handle them with handle or handleBatch.',
  })
}

/** Where the messages of a contract stand. */
export function channelOf(contract: MessageContract): ChannelSpec {
  const { type: name, priorities, deduplicateForMs } = contract
  const shared = { name, keyed: contract.key !== undefined, priorities, deduplicateForMs }
  if (contract.kind === 'command') return { ...shared, kind: 'queue' }
  return { ...shared, kind: 'log', retention: contract.retention }
}

/**
 * The channels that an application uses. A channel is declared before the application starts if it is consumed, and else
 * when the first message is published to it.
 */
export class Channels {
  readonly #engine: Engine
  readonly #specs = new Map<string, ChannelSpec>()
  readonly #declared = new Set<MessageContract>()
  /** Those of the bus itself. */
  readonly #own = new Set<MessageContract>()
  readonly #declaring = new Map<MessageContract, Promise<void>>()

  constructor(engine: Engine) {
    this.#engine = engine
  }

  /** Lets the bus have a contract of its own, whose name is reserved. */
  adopt(contract: MessageContract): void {
    this.#own.add(contract)
  }

  /**
   * Takes note of a contract.
   * @throws CONTRACT_INVALID when it is none, or its name is reserved; CONTRACT_DUPLICATE when another contract of that name differs
   */
  register(contract: MessageContract): ChannelSpec {
    checkContract(contract)
    const { type } = contract
    if (type.startsWith(reservedPrefix) && !this.#own.has(contract)) {
      throw new PosthasteError('CONTRACT_INVALID', `${type}: names that begin with ${reservedPrefix} are reserved`)
    }
    const spec = channelOf(contract)
    const known = this.#specs.get(type)
    if (known === undefined) this.#specs.set(type, spec)
    else if (!isSame(known, spec)) {
      throw new PosthasteError(
        'CONTRACT_DUPLICATE',
        `${type}: two contracts of this name differ in kind, key, retention, priorities or deduplication`,
      )
    }
    return spec
  }

  /**
   * Makes sure that messages of a contract can be published. Hot path: one look-up for a contract that is known.
   * @throws what {@link Channels.register} and {@link Channels.declare} throw
   */
  admit(contract: MessageContract): MaybePromise<void> {
    if (this.#declared.has(contract)) return undefined
    const under = this.#declaring.get(contract)
    if (under !== undefined) return under
    const declaring = this.declare([contract], { channels: [], groups: [] })
    this.#declaring.set(contract, declaring)
    const done = (): boolean => this.#declaring.delete(contract)
    declaring.then(done, done)
    return declaring
  }

  /**
   * Makes the channels of contracts exist, and whatever else is named.
   *
   * @throws CAPABILITY_UNSUPPORTED where the engine lacks what a contract needs; TOPOLOGY_DRIFT, with an
   *   issue per difference, when the engine holds one with other settings
   */
  async declare(contracts: readonly MessageContract[], more: Topology): Promise<void> {
    const channels = contracts.map((contract) => this.register(contract))
    refuseUnsupported(channels, this.#engine)
    const groups = contracts.flatMap(workGroup)
    const report = await this.#engine.declare({
      channels: distinct([...channels, ...more.channels], ({ name }) => name),
      groups: distinct([...more.groups, ...groups], ({ channel, group }) => `${channel} ${group}`),
    })
    const issues = report.drift.map(({ name, setting, wanted, found }) => {
      return { path: name, message: `${setting} is to be ${wanted}, but the engine holds ${found}` }
    })
    if (issues.length > 0) {
      const told = issues.map(({ path, message }) => `${path}: ${message}`).join('; ')
      throw new PosthasteError('TOPOLOGY_DRIFT', told, { issues })
    }
    for (const contract of contracts) this.#declared.add(contract)
  }
}

/** Work that is sent before anybody handles it waits for its handler. */
function workGroup(contract: MessageContract): GroupSpec[] {
  return contract.kind === 'command' ? [{ channel: contract.type, group: commandGroup, from: 'earliest' }] : []
}

/** What the engine lacks for a channel, in words. */
export function channelNeeds(channel: ChannelSpec, can: EngineCapabilities): readonly string[] {
  const { keyed, priorities = 1, deduplicateForMs = 0 } = channel
  const checks: readonly (readonly [boolean, string])[] = [
    [keyed && can.keyOrder === 'none', 'has a key, which needs keyOrder'],
    [priorities > can.priorityLevels, `has ${priorities} priorities; the engine has ${can.priorityLevels}`],
    [
      deduplicateForMs > can.deduplicateForMsMax,
      `recognises ids for ${deduplicateForMs} ms; the engine does for ${can.deduplicateForMsMax} ms`,
    ],
  ]
  return checks.filter(([isMissing]) => isMissing).map(([, message]) => message)
}

function refuseUnsupported(channels: readonly ChannelSpec[], { name, capabilities }: Engine): void {
  const issues = channels.flatMap((channel) =>
    channelNeeds(channel, capabilities).map((message) => ({ path: channel.name, message })),
  )
  if (issues.length === 0) return
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new PosthasteError('CAPABILITY_UNSUPPORTED', `engine ${name}: ${told}`, { issues })
}

function isSame(one: ChannelSpec, other: ChannelSpec): boolean {
  const sameRetention =
    one.retention?.forMs === other.retention?.forMs && one.retention?.bytesMax === other.retention?.bytesMax
  const sameLevels = (one.priorities ?? 1) === (other.priorities ?? 1)
  const sameWindow = one.deduplicateForMs === other.deduplicateForMs
  return one.kind === other.kind && one.keyed === other.keyed && sameRetention && sameLevels && sameWindow
}

function distinct<T>(items: readonly T[], nameOf: (item: T) => string): T[] {
  return [...new Map(items.map((item) => [nameOf(item), item])).values()]
}
