import {
  type DeliverySink,
  type EngineSubscription,
  type Lag,
  PosthasteError,
  type SubscriptionSpec,
} from '@posthaste/contracts'
import { Competing } from './competing.ts'
import { errorOf, fail } from './errors.ts'
import type { MemberDeps, MemberFigures, Seat } from './membership.ts'
import { notedIn } from './noted.ts'
import type { Presence } from './presence.ts'
import { Ranged } from './ranged.ts'
import type { KnownChannel } from './settings-text.ts'
import { groupExists, membersOf, queuesOf, type TopologyDeps, type TopologyKeeper } from './topology.ts'
import type { Waiting } from './waiting.ts'

/** What joining groups needs. */
export interface ConsumersDeps {
  readonly member: MemberDeps
  readonly topology: TopologyDeps
  readonly keeper: TopologyKeeper
  readonly waiting: Waiting
  readonly presence: Presence
}

/** The members of groups that this process has. */
export class Consumers {
  readonly #deps: ConsumersDeps
  readonly #members = new Map<string, Set<Member>>()

  constructor(deps: ConsumersDeps) {
    this.#deps = deps
  }

  /** @throws NOT_FOUND when the group is not declared */
  async join(spec: SubscriptionSpec, sink: DeliverySink): Promise<EngineSubscription> {
    if (spec.filter !== undefined)
      throw new PosthasteError('CAPABILITY_UNSUPPORTED', `rabbitmq: ${spec.channel}@${spec.group} is to be filtered`)
    const channel = await this.#groupOf(spec.channel, spec.group)
    const name = `${spec.channel}@${spec.group}`
    const peers = this.#members.get(name) ?? new Set()
    this.#members.set(name, peers)
    const isTemporary = this.#deps.keeper.isTemporary(spec.channel, spec.group)
    const leave = this.#deps.presence.enter(membersOf(this.#deps.topology.catalogue.names, channel.spec, spec.group))
    const seat: Seat = {
      spec,
      channel,
      isTemporary,
      prepare: async () => {
        if (isTemporary) await this.#deps.keeper.renew(spec.channel, spec.group)
      },
      isLastOfTemporary: () => isTemporary && peers.size === 1,
      onStopped: async () => {
        peers.delete(member)
        leave()
        if (isTemporary && peers.size === 0) await this.#drop(spec)
      },
    }
    const member =
      channel.keyRanges > 0 ? new Ranged(this.#deps.member, seat, sink) : new Competing(this.#deps.member, seat, sink)
    peers.add(member)
    member.start()
    return member
  }

  /** @throws NOT_FOUND when the group is not declared */
  async lag(name: string, group: string): Promise<Lag> {
    const { catalogue, consumerAdmin } = this.#deps.topology
    const channel = await this.#groupOf(name, group)
    const own = this.#figuresOf(`${name}@${group}`)
    const queues = queuesOf(catalogue, channel, group).filter((queue) => !queue.endsWith('.notes'))
    const counts = await Promise.all(
      queues.map((queue) =>
        consumerAdmin.tell(`the lag of ${name}@${group}`, (asked) => asked.queueDeclare({ queue, passive: true })),
      ),
    )
    const ready = counts.reduce((sum, { messageCount }) => sum + messageCount, 0)
    const away = this.#deps.waiting.count(name, group, this.#deps.member.clock.nowMs())
    const figures = { ready: ready + own.inFlight + own.buffered, waiting: away, inFlight: own.inFlight }
    if (channel.keyRanges === 0 || this.#deps.keeper.isTemporary(name, group)) return figures
    const controls = queuesOf(catalogue, channel, group).filter((queue) => queue.endsWith('.notes'))
    return { ...figures, noted: await notedIn(this.#deps.member, name, controls) }
  }

  async close(): Promise<void> {
    const all = [...this.#members.values()].flatMap((members) => [...members])
    await Promise.allSettled(all.map((member) => member.stop()))
  }

  #figuresOf(name: string): MemberFigures {
    let [inFlight, buffered, early] = [0, 0, 0]
    for (const { figures } of this.#members.get(name) ?? []) {
      inFlight += figures.inFlight
      buffered += figures.buffered
      early += figures.early
    }
    return { inFlight, buffered, early }
  }

  async #groupOf(name: string, group: string): Promise<KnownChannel> {
    const { topology, keeper } = this.#deps
    const channel = await topology.catalogue.find(name)
    if (channel === undefined) throw fail('NOT_FOUND', `channel ${name}: it is not declared`)
    const isQueue = channel.spec.kind === 'queue'
    const exists = isQueue
      ? (await keeper.groupOfQueue(name)) === group
      : keeper.isTemporary(name, group) || (await groupExists(topology, channel, group))
    if (!exists) throw fail('NOT_FOUND', `group ${group} of ${name}: it is not declared`)
    return channel
  }

  async #drop({ channel, group }: SubscriptionSpec): Promise<void> {
    try {
      await this.#deps.keeper.dropTemporary(channel, group)
    } catch (thrown) {
      // It goes with the connection at the latest.
      this.#deps.member.log.debug(errorOf(thrown, `deleting the temporary group ${channel}@${group}`).message)
    }
  }
}

type Member = Competing | Ranged
