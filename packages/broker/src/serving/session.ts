import { type GroupSpec, PosthasteError, type Timer } from '@posthaste/contracts'
import type { LinkStream } from '@posthaste/link/connection'
import type { Grants } from '../access/grants.ts'
import { Tally } from '../quotas/tally.ts'
import { Publications } from './publishing.ts'
import type { Subscription } from './subscription.ts'
import type { Surroundings } from './surroundings.ts'
import { type TemporaryGroup, TemporaryGroups } from './temporary-groups.ts'
import { Watchings } from './watchings.ts'

/** Who a session is of, and for how long it stays without a connection. */
export interface SessionInit {
  readonly id: string
  /** Counts the sessions since the start. */
  readonly number: number
  readonly instance: string
  readonly grants: Grants
  readonly sessionMs: number
}

/**
 * A client that is back begins at once what it goes on with; so long after it is back, in milliseconds, it has forgotten what
 * it has not begun. Much longer than that takes, since ending it too early would lose what is handed over meanwhile.
 */
const reclaimMs = 30_000

/** Takes out what is there to say that a temporary group has a member, so that leaving it ends it. */
const nobody = { deliver() {}, closed() {}, lost() {} }

/**
 * One client, over all of its connections: what it has in hand is held for it while it may come back. If it does not, it has
 * vanished, and what it had in hand counts as an attempt.
 */
export class Session {
  readonly id: string
  readonly number: number
  readonly instance: string
  readonly grants: Grants
  readonly publications: Publications
  readonly subscriptions = new Map<number, Subscription>()
  /** Temporary groups that it has declared. */
  readonly temporary: TemporaryGroups
  /** What went with a connection stands for one who may come back. */
  readonly watchings = new Watchings((pattern) => this.temporary.forgetPattern(pattern))
  readonly #around: Surroundings
  readonly #sessionMs: number
  readonly #ended: (session: Session) => void
  #control: LinkStream | undefined
  #expiry: Timer | undefined
  #reclaiming: Timer | undefined
  #isScheduled = false
  #isOver = false

  constructor(init: SessionInit, around: Surroundings, ended: (session: Session) => void) {
    this.id = init.id
    this.number = init.number
    this.instance = init.instance
    this.grants = init.grants
    this.#sessionMs = init.sessionMs
    this.#around = around
    this.#ended = ended
    this.publications = new Publications(init.grants, around)
    const places = [init.grants.places, around.places]
    this.temporary = new TemporaryGroups(() => Tally.take('temporaryGroups', places))
  }

  get isConnected(): boolean {
    return this.#control !== undefined
  }

  /** Whether it has ended: what begins in it now would stay for good. */
  get isOver(): boolean {
    return this.#isOver
  }

  /** The stream on which the client is told what is new; undefined while it is not connected. */
  get control(): LinkStream | undefined {
    return this.#control
  }

  attach(control: LinkStream): void {
    this.#expiry?.cancel()
    this.#expiry = undefined
    this.#control = control
    this.#reclaim()
  }

  /**
   * Something of it has lost its connection: one, perhaps, that was followed by another before anybody knew it to be lost.
   * Thousands may in one turn: they are looked at once.
   */
  orphaned(): void {
    if (this.#isScheduled) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      if (this.isConnected) this.#reclaim()
    })
  }

  /** What went with the connection before, and is not begun again over this one, ends after a while. */
  #reclaim(): void {
    this.#reclaiming?.cancel()
    const watches = this.watchings.orphans
    const subscriptions = [...this.subscriptions.values()].filter(({ isOrphan }) => isOrphan)
    if (watches.length + subscriptions.length === 0) return
    this.#reclaiming = this.#around.clock.setTimer(reclaimMs, () => {
      for (const watch of watches) if (watch.isOrphan) this.watchings.endOne(watch)
      for (const subscription of subscriptions) if (subscription.isOrphan) void subscription.stop()
    })
  }

  /** A connection is gone. It may be one that was followed by another already. */
  detach(control: LinkStream, cause: PosthasteError): void {
    if (this.#control !== control || this.#isOver) return
    this.#control = undefined
    this.#reclaiming?.cancel()
    const { log, clock } = this.#around
    log.debug('a client is not connected', { instance: this.instance, cause: cause.message })
    this.#expiry = clock.setTimer(this.#sessionMs, () => {
      log.warn('a client has vanished: what it had in hand goes to others', { instance: this.instance })
      void this.vanish()
    })
  }

  /** One of its subscriptions has ended; a temporary group that it was the last of has, too, for this session. */
  left({ channel, group }: Pick<GroupSpec, 'channel' | 'group'>): void {
    const spec = { channel, group, from: 'next' } as const
    if (!this.temporary.has(spec)) return
    for (const { spec: other } of this.subscriptions.values())
      if (other.channel === channel && other.group === group) return
    this.temporary.forget(spec)
  }

  /** The client says that it leaves: what it has in hand goes back uncounted. */
  async leave(): Promise<void> {
    const control = this.#control
    await this.#end((subscription) => subscription.farewell())
    control?.end()
  }

  /** The client is gone without a word. */
  async vanish(): Promise<void> {
    const control = this.#control
    await this.#end((subscription) => subscription.vanish())
    control?.fail(new PosthasteError('UNAVAILABLE', 'the session has ended'))
  }

  async #end(each: (subscription: Subscription) => Promise<void>): Promise<void> {
    if (this.#isOver) return
    this.#isOver = true
    this.#expiry?.cancel()
    this.#reclaiming?.cancel()
    this.#control = undefined
    this.#ended(this)
    const temporary = this.temporary.takeAll()
    this.watchings.endAll()
    await Promise.allSettled([...this.subscriptions.values()].map(each))
    const deserted = temporary.filter((group) => !this.#around.isKept(group))
    await Promise.allSettled(deserted.map((group) => this.#desert(group)))
  }

  /** Ends a temporary group that nobody else has joined: it goes with its last member, and a pattern with its last watcher. */
  async #desert(spec: TemporaryGroup): Promise<void> {
    const { engine } = this.#around
    if ('pattern' in spec) {
      const stop = await engine.patterns?.watch(spec.pattern, () => {})
      stop?.()
      return
    }
    const { channel, group } = spec
    const visit = await engine.subscribe({ channel, group, member: this.instance }, nobody).catch(() => undefined)
    await visit?.stop()
  }
}
