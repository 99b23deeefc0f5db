import { randomUUID } from 'node:crypto'
import type { Note, NoteChange, Outcome, OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { AckWindow } from './ack-window.ts'
import { type ControlMessage, fence, hello, readControl } from './control-messages.ts'
import { Early } from './early.ts'
import { deliveryLost } from './errors.ts'
import { type Held, heldOf } from './held.ts'
import { type MemberDeps, openQueues, type Seat } from './membership.ts'
import { NoteBook, type NoteMessage } from './note-book.ts'
import { writeNotes } from './note-writing.ts'
import type { Session } from './range-session.ts'
import { Receipts } from './receipts.ts'
import type { Received } from './record-codec.ts'
import { Reopener } from './reopener.ts'
import { onGone } from './timely.ts'

/** What a range tells the member that reads it, or would. */
export interface RangeEvents {
  /** This member reads it from now on. */
  assigned(reader: RangeReader, notes: readonly Note[]): void
  /** It is not read by this member any more, though nobody asked it to give up. */
  lost(reader: RangeReader, cause: PosthasteError): void
  /** There is something to deliver. */
  ready(): void
  /** Another member, that reads so many ranges, is in line for this one. */
  asked(reader: RangeReader, other: { readonly member: string; readonly ranges: number }): void
  /** The queues are gone. */
  ended(cause: PosthasteError): void
  /** Names this member, for the others. */
  readonly member: string
  /** How many ranges it reads. */
  readonly count: number
}

/**
 * One member's place in the line for one key range. Two queues with a single active consumer make a range: the records, and
 * beside them the notes. Whoever the server feeds the notes to is the reader: it sends a fence through that queue, and when
 * the fence arrives it has seen everything before it. The fence stays unacknowledged as long as the range is read, so that
 * it wakes the next reader when this one is gone. Only then the records are consumed: as they have a single active consumer
 * too, what the last reader had comes back before anything new.
 *
 * The channel of the notes is the one that decides: closing it gives them to the next in line in one step.
 */
export class RangeReader {
  readonly name: string
  /** Nothing is delivered for now. */
  isPaused = false
  /** It is being given up. */
  isRecalled = false
  readonly #deps: MemberDeps
  readonly #seat: Seat
  readonly #events: RangeEvents
  readonly #queue: string
  readonly #control: string
  readonly #reopener: Reopener
  readonly #early: Early
  #buffer: Held[] = []
  #session: Session | undefined
  #isStopped = false

  constructor(deps: MemberDeps, seat: Seat, place: { readonly range: number; readonly events: RangeEvents }) {
    const { spec, channel } = seat
    this.name = String(place.range)
    this.#deps = deps
    this.#seat = seat
    this.#events = place.events
    const base = deps.catalogue.names.queue(spec.channel, channel.spec.kind === 'queue' ? undefined : spec.group)
    this.#queue = deps.catalogue.names.range(base, place.range)
    this.#control = deps.catalogue.names.control(base, place.range)
    this.#early = new Early(deps.clock, (held) => this.#take(held))
    this.#reopener = new Reopener(
      deps,
      () => this.#open(),
      (cause) => place.events.ended(cause),
    )
  }

  /** Gets in line, as soon as there is a connection. */
  start(): void {
    this.#reopener.again()
  }

  get isAssigned(): boolean {
    return this.#session?.state === 'assigned'
  }

  /** Names the assignment: what was delivered in another one is lost. */
  get session(): object | undefined {
    return this.#session
  }

  get queue(): string {
    return this.#queue
  }

  get buffered(): number {
    return this.#buffer.length
  }

  get early(): number {
    return this.#early.size
  }

  get hasDeliverable(): boolean {
    return this.#buffer.length > 0 && !this.isPaused && !this.isRecalled
  }

  /** What may be delivered, in order. */
  takeBuffered(max: number): readonly Held[] {
    return this.#buffer.splice(0, max)
  }

  /** A delivery comes back, to the place that it had. */
  putBack(held: Held): void {
    const at = this.#buffer.findIndex(({ deliveryTag }) => deliveryTag > held.deliveryTag)
    this.#buffer.splice(at < 0 ? this.#buffer.length : at, 0, held)
    this.#events.ready()
  }

  /** Whether the server has read them. */
  async ack(all: readonly Held[]): Promise<boolean> {
    const records = this.#session?.records
    if (records?.channel.active !== true) return false
    const { channel, acks, receipts } = records
    acks.settle(
      all.map(({ deliveryTag }) => deliveryTag),
      (deliveryTag, multiple) => channel.basicAck({ deliveryTag, multiple }),
    )
    return receipts.read()
  }

  /** Tells whoever reads the range that this member is in line for it. */
  async ask(): Promise<void> {
    if (this.#session !== undefined && !this.isAssigned) await this.#hello()
  }

  /** Gives the range to the next in line, and gets in line again. */
  async giveUp(): Promise<void> {
    const session = this.#session
    if (session === undefined) return
    this.#forget()
    try {
      await this.#flush(session)
    } catch {
      // A channel is closed: all of it went back.
    }
    // The records first: whoever is woken by the notes finds them free.
    await session.records?.channel.close()
    await session.channel.close()
    if (!this.#isStopped) this.#reopener.again()
  }

  async stop(): Promise<void> {
    this.#isStopped = true
    this.#reopener.stop()
    this.#deps.channels.left([this.#queue, this.#control])
    await this.giveUp()
  }

  /** Changes notes; as `KeyRangeControl.note`. */
  async note(changes: readonly NoteChange[], publish: readonly OutgoingRecord[]): Promise<Outcome> {
    const session = this.#session
    if (session?.state !== 'assigned') return deliveryLost
    const { publisher } = this.#deps
    const isCurrent = (): boolean => session === this.#session
    const isRead = (): Promise<boolean> => session.receipts.read()
    const page = { book: session.book, queue: this.#control, range: this.name, isCurrent, isRead }
    return writeNotes(publisher, page, { changes, publish })
  }

  /**
   * Waits until the server has the acknowledgements. It puts some aside while a queue is busy and forgets them with the
   * channel; a command that goes through the queue, and one more question, bring them all on their way. The command is a
   * second consumer, that waits behind the first: were the first cancelled instead, the next reader would be fed before
   * what this one has is back. A note that was erased before its message came is acknowledged when that comes.
   */
  async #flush(session: Session): Promise<void> {
    const { records } = session
    if (records?.channel.active === true) {
      await records.channel.basicConsume({ queue: this.#queue }, () => {})
      await records.channel.queueDeclare({ queue: this.#queue, passive: true })
    }
    const isDone = session.acked < acksPutAside && !session.book.isBehind
    if (isDone || !session.channel.active) return
    const { promise, resolve } = Promise.withResolvers<void>()
    session.last = { fence: randomUUID(), came: resolve }
    const timer = this.#deps.clock.setTimer(flushMs, resolve)
    await this.#deps.publisher.send([fence(this.#control, session.last.fence)])
    await promise
    timer.cancel()
    await session.channel.queueDeclare({ queue: this.#control, passive: true })
  }

  // ── In line ───────────────────────────────────────────────────────────────────────────────────────────────────────

  async #open(): Promise<void> {
    await this.#seat.prepare()
    const channel = await openQueues(this.#deps.channels, this.#seat, [this.#queue, this.#control])
    if (this.#isStopped) return channel.close()
    const ack = (deliveryTag: number): void => {
      session.acked += 1
      if (channel.active) channel.basicAck({ deliveryTag })
    }
    const book = new NoteBook(ack)
    const receipts = new Receipts(channel, () => notesMax)
    const session: Session = { channel, state: 'inLine', fence: randomUUID(), seen: [], ack, acked: 0, book, receipts }
    this.#session = session
    onGone(channel, () => {
      book.close()
      session.last?.came()
      this.#lost(session)
    })
    channel.on('basic.cancel', () => void channel.close())
    await Promise.all([
      channel.basicQos({ prefetchCount: notesMax }),
      channel.basicConsume({ queue: this.#control }, (message) => this.#controlled(session, message as Received)),
    ])
    await this.#hello()
  }

  /** Is heard by whoever reads the range, which may be this member. */
  async #hello(): Promise<void> {
    const { member, count: ranges } = this.#events
    await this.#signal(hello(this.#control, { member, ranges }))
  }

  async #signal(message: ReturnType<typeof hello>): Promise<void> {
    const session = this.#session
    const [outcome] = await this.#deps.publisher.send([message]).catch(() => [])
    // Without it nobody would ever know who reads the range, so the place in the line is taken anew.
    if (outcome?.ok !== true && session !== undefined && session === this.#session) await session.channel.close()
  }

  #controlled(session: Session, message: Received): void {
    const read = readControl(message, this.#seat.spec.channel)
    if (session !== this.#session) this.#heardLast(session, read)
    else if (read === undefined) session.ack(message.deliveryTag)
    else if (session.state === 'assigned') this.#heard(session, read)
    else this.#seen(session, read)
  }

  /** What came before the range is read is looked at together, once all of it is here. */
  #seen(session: Session, message: ControlMessage): void {
    session.seen.push(message)
    if (session.state === 'inLine') {
      session.state = 'fencing'
      void this.#signal(fence(this.#control, session.fence))
    } else if (message.kind === 'fence' && message.id === session.fence) this.#assign(session)
  }

  #assign(session: Session): void {
    session.state = 'assigned'
    const notes: NoteMessage[] = []
    for (const each of session.seen.splice(0)) {
      if (each.kind === 'note') notes.push(each)
      else if (each.kind === 'fence' && each.id === session.fence) session.token = each.deliveryTag
      else session.ack(each.deliveryTag)
    }
    this.#consume(session).catch(() => session.channel.close())
    this.#refreshLater(session)
    this.#events.assigned(this, session.book.load(notes))
  }

  /** The records have a channel of their own, where acknowledgements can be taken together. */
  async #consume(session: Session): Promise<void> {
    const channel = await this.#deps.link.channel()
    if (session !== this.#session) return channel.close()
    const receipts = new Receipts(channel, () => prefetch)
    session.records = { channel, acks: new AckWindow(), receipts }
    onGone(channel, () => this.#lost(session))
    channel.on('basic.cancel', () => void channel.close())
    await Promise.all([
      channel.basicQos({ prefetchCount: prefetch }),
      channel.basicConsume({ queue: this.#queue }, (message) => this.#received(session, message as Received)),
    ])
  }

  /** What comes while the range is read. */
  #heard(session: Session, message: ControlMessage): void {
    const { deliveryTag } = message
    if (message.kind === 'note') {
      // One that is not in the book comes from a reader that was cut off while it wrote: it was never told that it stands.
      if (!session.book.arrived(message.name, message.version, deliveryTag)) session.ack(deliveryTag)
    } else if (message.kind === 'fence') {
      if (message.id === session.fence && session.token === undefined) session.token = deliveryTag
      else session.ack(deliveryTag)
    } else {
      session.ack(deliveryTag)
      this.#events.asked(this, message)
    }
  }

  #received(session: Session, message: Received): void {
    if (session === this.#session) this.#take(heldOf(message, this.#seat.spec.channel))
  }

  #take(held: Held): void {
    if (this.#early.keeps(held)) return
    this.#buffer.push(held)
    this.#events.ready()
  }

  /** What comes while the range is given up; all but erased notes goes to the next in line. */
  #heardLast({ book, last }: Session, message: ControlMessage | undefined): void {
    if (message?.kind === 'note') book.arrived(message.name, message.version, message.deliveryTag)
    else if (message?.kind === 'fence' && message.id === last?.fence) last.came()
  }

  /** The server takes back what is unacknowledged for too long, and with it the channel: so it is given back before. */
  #refreshLater(session: Session): void {
    const periodMs = Math.floor(this.#deps.consumerTimeoutMs / 3)
    session.timer = this.#deps.clock.setTimer(periodMs, () => {
      if (session !== this.#session || !session.channel.active) return
      const [first] = this.#buffer
      const isStuck = first !== undefined && first === session.firstBuffered
      const stuck = isStuck ? this.#buffer.splice(0) : []
      session.firstBuffered = this.#buffer[0]
      this.#nack(session, stuck)
      const token = session.token === undefined ? [] : [session.token]
      session.token = undefined
      for (const deliveryTag of [...token, ...session.book.giveBack()])
        session.channel.basicNack({ deliveryTag, requeue: true })
      this.#refreshLater(session)
    })
  }

  #nack({ records }: Session, all: readonly Held[]): void {
    for (const { deliveryTag } of all) {
      // They come again in this order, under other tags.
      records?.channel.basicNack({ deliveryTag, requeue: true })
      records?.acks.settle([deliveryTag], () => {})
    }
  }

  #lost(session: Session): void {
    if (session !== this.#session) return
    void session.channel.close()
    void session.records?.channel.close()
    const wasAssigned = session.state === 'assigned'
    this.#forget()
    // The cause is told to the connection after its channels.
    queueMicrotask(() => {
      if (wasAssigned) this.#events.lost(this, this.#deps.link.cause)
      if (!this.#isStopped) this.#reopener.again()
    })
  }

  #forget(): void {
    this.#session?.timer?.cancel()
    this.#session = undefined
    this.#buffer = []
    this.#early.clear()
    this.isPaused = false
    this.isRecalled = false
  }
}

/** Most notes that a range can have: what the protocol lets stand unacknowledged. */
const notesMax = 65_535
/** Records of one range that are here before they are wanted; nobody else may have them anyway. */
const prefetch = 256
/** The server puts acknowledgements aside while 32 or more are under way. */
const acksPutAside = 16
const flushMs = 1_000
