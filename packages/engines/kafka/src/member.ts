import { consumerGroupHeartbeatV1 } from '@platformatic/kafka'
import { PosthasteError, type Timer } from '@posthaste/contracts'
import { beatMsOf } from './admin.ts'
import { type Cluster, watching } from './cluster.ts'
import { ConnectionError, hasCode, isTransient, kafkaCodes, mapped } from './errors.ts'
import { backoffMs, rest } from './waiting.ts'

/** Who is told what becomes of the partitions of a member. */
export interface MemberListener {
  /** These are the member's from now on. */
  gained(partitions: readonly number[]): void
  /** These go to others: answered with `release` for each, once nothing of it is under way. */
  recalled(partitions: readonly number[]): void
  /** All are somebody else's, or nobody knows whose: the member joins anew. */
  fenced(reason: PosthasteError): void
  /** Joining makes no sense any more. */
  ended(reason: PosthasteError): void
}

/** What a member is a member of. */
export interface Membership {
  readonly groupId: string
  readonly topic: string
  readonly instanceId: string | undefined
  readonly listener: MemberListener
}

/** The session timeout of a server that nobody has configured. */
const sessionMsDefault = 45_000
const heartbeatMsMax = 1_000
/**
 * How long a member waits for the session timeout of its group to be in effect: one that this engine has given it will be,
 * once the server has done with the topics that were made before; another may have been given on purpose.
 */
const settingMsMax = { given: 30_000, other: 2_000 } as const
/** A member that leaves and keeps its name, and one that leaves for good. */
const leaving = { static: -2, dynamic: -1 } as const

/**
 * A member of a consumer group by the protocol of KIP-848: one request says that it lives and what it has, the answer says
 * what it should have. Partitions that stay with a member are never taken from it in between.
 * @see https://cwiki.apache.org/confluence/x/HhD1D KIP-848
 */
export class Member {
  #id = crypto.randomUUID() as string
  /** What it was before it was fenced, as long as the server may know of that. */
  #former: string | undefined
  readonly #cluster: Cluster
  readonly #membership: Membership
  readonly #sessionMs: number
  readonly #owned = new Set<number>()
  readonly #recalled = new Set<number>()
  #epoch = 0
  /** How often it was fenced: what was asked before is of no use then. */
  #fenced = 0
  #intervalMs: number
  #timer: Timer | undefined
  #beating: Promise<void> | undefined
  /** Whether the server goes by a session timeout that may be longer than the one that was asked for. */
  #isLenient = false
  #failures = 0
  /** Until then nobody else has what this member has; told by the server, by our clock. */
  #standsUntilMs = Number.POSITIVE_INFINITY
  #lapsing: Timer | undefined
  /** Whether the server does not know yet what is owned. */
  #changed = true
  #stopped = false

  constructor(cluster: Cluster, membership: Membership) {
    this.#cluster = cluster
    this.#membership = membership
    this.#sessionMs = cluster.settings.sessionTimeoutMs ?? sessionMsDefault
    this.#intervalMs = Math.min(heartbeatMsMax, this.#sessionMs / 6)
  }

  /**
   * Another one after it was fenced: what was sent before and arrives late is refused, which the same name in the same
   * epoch would not be.
   */
  get id(): string {
    return this.#id
  }

  /** The member's epoch, by which the server knows a member that has missed something. */
  get epoch(): number {
    return this.#epoch
  }

  get instanceId(): string | undefined {
    return this.#membership.instanceId
  }

  owns(partition: number): boolean {
    return this.#owned.has(partition)
  }

  /** Whether what it owns is certainly nobody else's: its session is not over yet. */
  get stands(): boolean {
    return this.#cluster.host.clock.monotonicMs() < this.#standsUntilMs
  }

  /** Nothing of this partition is under way: another may have it. Resolves once the server knows. */
  async release(partition: number): Promise<void> {
    if (!this.#owned.delete(partition)) return
    this.#recalled.delete(partition)
    this.#changed = true
    await this.beat()
  }

  /**
   * Joins the group; resolves when the server knows of it, or cannot be asked for now. A server takes the session timeout of
   * a group, answers, and goes by it a moment later; the time that a member has is set when it gives a sign of life. One that
   * vanished after its first would keep its partitions for the server's own session.
   */
  async join(): Promise<void> {
    const { clock, log, random } = this.#cluster.host
    const { groupId } = this.#membership
    const beganMs = clock.monotonicMs()
    await this.beat()
    for (let round = 0; this.#isLenient && !this.#stopped && !this.#cluster.isClosed; round += 1) {
      const patienceMs = this.#cluster.sessionsGiven.has(groupId) ? settingMsMax.given : settingMsMax.other
      if (clock.monotonicMs() - beganMs >= patienceMs) {
        log.warn('kafka engine: a group has another session timeout than this process asks for', { groupId })
        return
      }
      await rest(clock, Math.min(this.#intervalMs, backoffMs(round, random)))
      await this.beat()
    }
  }

  /** Tells the server now, joining with the first time, and goes on doing so; calls that come while one is under way get the next one. */
  async beat(): Promise<void> {
    if (this.#beating !== undefined) await this.#beating
    if (this.#stopped) return
    this.#beating ??= this.#beat().finally(() => {
      this.#beating = undefined
    })
    await this.#beating
  }

  /** Leaves the group; what it had goes to others at once. */
  async leave(): Promise<void> {
    this.#stopped = true
    this.#timer?.cancel()
    this.#lapsing?.cancel()
    await this.#beating
    try {
      await this.#leaveAsFormer()
      if (this.#epoch !== 0) await this.#leaveAs(this.#id)
    } catch (error) {
      // The session ends by itself.
      const { groupId } = this.#membership
      this.#cluster.host.log.debug('kafka engine: a member left without telling', { groupId, error })
    }
  }

  /** Without waiting for the session of what it was before, which a server that was away has begun anew. */
  async #leaveAsFormer(): Promise<void> {
    const former = this.#former
    if (former === undefined) return
    try {
      await this.#leaveAs(former)
    } catch (error) {
      if (!hasCode(error, kafkaCodes.unknownMember, kafkaCodes.fencedInstance, kafkaCodes.groupNotFound)) throw error
    }
    if (this.#former === former) this.#former = undefined
  }

  async #leaveAs(id: string): Promise<void> {
    const { groupId, instanceId } = this.#membership
    const epoch = instanceId === undefined ? leaving.dynamic : leaving.static
    const broker = await this.#cluster.coordinator('group', groupId)
    const lane = this.#cluster.lane(broker, watching)
    const nothing = [null, -1, null, null, null, null] as const
    await lane.call(consumerGroupHeartbeatV1.api, groupId, id, epoch, instanceId ?? null, ...nothing)
  }

  /** Stops without a word, for a connection that is gone for good. */
  abandon(): void {
    this.#stopped = true
    this.#timer?.cancel()
    this.#lapsing?.cancel()
  }

  async #beat(): Promise<void> {
    this.#timer?.cancel()
    const { random } = this.#cluster.host
    try {
      await this.#exchange()
      this.#failures = 0
      this.#again(this.#changed ? 0 : this.#intervalMs)
    } catch (error) {
      if (this.#stopped || this.#cluster.isClosed) return
      this.#failed(error)
      this.#again(Math.min(this.#intervalMs, backoffMs(this.#failures++, random)))
    }
  }

  #again(afterMs: number): void {
    if (!this.#stopped) this.#timer = this.#cluster.host.clock.setTimer(afterMs, () => void this.beat())
  }

  /** The server counts from when it has heard of the member, which was later than it was sent. */
  #standUntil(untilMs: number): void {
    const { clock } = this.#cluster.host
    this.#standsUntilMs = untilMs
    this.#lapsing?.cancel()
    this.#lapsing = clock.setTimer(Math.max(1, Math.ceil(untilMs - clock.monotonicMs())), () => {
      const { groupId } = this.#membership
      const silence = `no sign of life of it was answered for ${this.#sessionMs} ms`
      this.fence(new PosthasteError('UNAVAILABLE', `member of ${groupId}: ${silence}`))
    })
  }

  async #exchange(): Promise<void> {
    const { groupId, topic, instanceId } = this.#membership
    const { id: topicId } = await this.#cluster.topic(topic)
    await this.#leaveAsFormer()
    const broker = await this.#cluster.coordinator('group', groupId)
    const [sentAtMs, fenced] = [this.#cluster.host.clock.monotonicMs(), this.#fenced]
    const tells = this.#changed || this.#epoch === 0
    this.#changed = false
    const owned = this.#epoch === 0 || this.#owned.size === 0 ? [] : [{ topicId, partitions: [...this.#owned] }]
    const rebalanceMs = this.#cluster.settings.rebalanceTimeoutMs
    try {
      const answer = await this.#cluster
        .lane(broker, watching)
        .call(
          consumerGroupHeartbeatV1.api,
          ...([groupId, this.#id, this.#epoch, instanceId ?? null, null] as const),
          ...([tells ? rebalanceMs : -1, tells ? [topic] : null, null, null, tells ? owned : null] as const),
        )
      if (this.#stopped || fenced !== this.#fenced) return
      this.#epoch = answer.memberEpoch
      this.#standUntil(sentAtMs + this.#sessionMs)
      const { sessionTimeoutMs } = this.#cluster.settings
      this.#isLenient = sessionTimeoutMs !== undefined && answer.heartbeatIntervalMs > beatMsOf(sessionTimeoutMs)
      this.#intervalMs = Math.min(answer.heartbeatIntervalMs, heartbeatMsMax, this.#sessionMs / 6)
      if (answer.assignment !== null)
        this.#adapt(new Set(answer.assignment.topicPartitions.flatMap(({ partitions }) => partitions)))
    } catch (error) {
      if (fenced !== this.#fenced) return
      this.#changed ||= tells
      throw error
    }
  }

  #adapt(target: ReadonlySet<number>): void {
    const { listener } = this.#membership
    const gained = [...target].filter((each) => !this.#owned.has(each))
    const recalled = [...this.#owned].filter((each) => !target.has(each) && !this.#recalled.has(each))
    for (const each of gained) this.#owned.add(each)
    for (const each of recalled) this.#recalled.add(each)
    if (gained.length > 0) {
      this.#changed = true
      listener.gained(gained)
    }
    if (recalled.length > 0) listener.recalled(recalled)
  }

  #failed(error: unknown): void {
    const { groupId, listener, topic } = this.#membership
    const { log } = this.#cluster.host
    const what = `member of ${groupId}`
    if (hasCode(error, kafkaCodes.unknownMember, kafkaCodes.fencedMemberEpoch)) {
      this.fence(mapped(error, what))
      return
    }
    if (hasCode(error, kafkaCodes.notCoordinator, 15) || error instanceof ConnectionError)
      this.#cluster.forgetCoordinator('group', groupId)
    if (PosthasteError.is(error, 'NOT_FOUND')) {
      this.#stopped = true
      listener.ended(mapped(error, `topic ${topic}`, 'NOT_FOUND'))
      return
    }
    if (!isTransient(error) && !hasCode(error, kafkaCodes.unreleasedInstance)) {
      log.warn('kafka engine: a group does not take its member yet', { groupId, error })
    }
  }

  /** What it has may be somebody else's by now, or nobody knows where the group stands: it joins as a new one. */
  fence(reason: PosthasteError): void {
    this.#lapsing?.cancel()
    this.#standsUntilMs = Number.POSITIVE_INFINITY
    if (this.#epoch === 0 && this.#owned.size === 0) return
    this.#fenced += 1
    if (this.#epoch !== 0) {
      this.#former = this.#id
      this.#id = crypto.randomUUID()
    }
    this.#epoch = 0
    this.#changed = true
    this.#owned.clear()
    this.#recalled.clear()
    const { message } = reason
    const { listener, groupId } = this.#membership
    listener.fenced(new PosthasteError('DELIVERY_LOST', `member of ${groupId}: ${message}`, { cause: reason }))
  }
}
