import type { Msg, NatsConnection } from '@nats-io/nats-core'
import { type Clock, PosthasteError, type Timer } from '@posthaste/contracts'

/** Something that is sent to the server and answered. One object per thing, so that a hot path makes no closures. */
export interface Command {
  /** Sends it, so that the answer comes to `reply`. Again after an outage in which the answer may have been lost. */
  send(connection: NatsConnection, reply: string): void
  /** The server's answer, whatever it says. */
  answered(answer: Msg): void
  /** No answer within the time limit, or the engine is closed. */
  failed(error: PosthasteError): void
}

/** Settings of a {@link Pipeline}. */
export interface PipelineSettings {
  readonly clock: Clock
  readonly timeoutMs: number
  /** Most commands under way; the others wait their turn. */
  readonly windowMax: number
}

interface Sent {
  readonly command: Command
  readonly deadlineMs: number
}

/** How long to wait when nobody takes a command: a server that has just started, or a new leader. */
const nobodyMs = 100

/**
 * Sends commands in their order and matches the answers, which come in any order. What an outage has left without an answer
 * is sent again, in order and before anything newer, so every command may reach the server more than once.
 */
export class Pipeline {
  readonly #settings: PipelineSettings
  /** By number, in the order they were sent first. */
  readonly #sent = new Map<number, Sent>()
  #waiting: Sent[] = []
  #waitingFrom = 0
  #connection: NatsConnection | undefined
  #inbox = ''
  #next = 0
  #timer: Timer | undefined
  #resendTimer: Timer | undefined
  #closed: PosthasteError | undefined
  readonly #onDrained: (() => void)[] = []

  constructor(settings: PipelineSettings) {
    this.#settings = settings
  }

  /** Listens for answers on this connection, and begins. */
  attach(connection: NatsConnection, inbox: string): void {
    this.#inbox = `${inbox}.`
    connection.subscribe(`${inbox}.*`, { callback: (_error, answer) => this.#answer(answer) })
    this.#connection = connection
    this.#fill()
  }

  /** The connection is lost: nothing is sent for now. */
  suspend(): void {
    this.#connection = undefined
  }

  /** It is back. */
  resume(connection: NatsConnection): void {
    this.#connection = connection
    this.#resend()
    this.#fill()
  }

  send(command: Command): void {
    if (this.#closed !== undefined) {
      command.failed(this.#closed)
      return
    }
    const { clock, timeoutMs, windowMax } = this.#settings
    const sent = { command, deadlineMs: clock.monotonicMs() + timeoutMs }
    if (this.#connection === undefined || this.#sent.size >= windowMax || this.#waiting.length > this.#waitingFrom) {
      this.#waiting.push(sent)
    } else {
      this.#send(sent)
    }
    this.#watch()
  }

  /** Fails what is still without an answer. */
  close(error: PosthasteError): void {
    this.#closed = error
    this.#timer?.cancel()
    this.#resendTimer?.cancel()
    for (const { command } of [...this.#sent.values(), ...this.#waiting.slice(this.#waitingFrom)]) command.failed(error)
    this.#sent.clear()
    this.#waiting = []
    this.#waitingFrom = 0
    this.#check()
  }

  /** Resolves when every command so far has its answer, or its time has run out. */
  drained(): Promise<void> {
    if (this.#pending === 0) return Promise.resolve()
    return new Promise((resolve) => {
      this.#onDrained.push(resolve)
    })
  }

  get #pending(): number {
    return this.#sent.size + this.#waiting.length - this.#waitingFrom
  }

  #check(): void {
    if (this.#onDrained.length === 0 || this.#pending > 0) return
    for (const resolve of this.#onDrained.splice(0)) resolve()
  }

  #send(sent: Sent): void {
    const number = this.#next
    this.#next += 1
    this.#sent.set(number, sent)
    this.#transmit(number, sent)
  }

  #transmit(number: number, { command }: Sent): void {
    try {
      command.send(this.#connection as NatsConnection, this.#inbox + number.toString(36))
    } catch (thrown) {
      this.#sent.delete(number)
      const text = thrown instanceof Error ? thrown.message : String(thrown)
      command.failed(new PosthasteError('UNAVAILABLE', `the client refused to send: ${text}`, { cause: thrown }))
    }
  }

  #answer(answer: Msg): void {
    const number = Number.parseInt(answer.subject.slice(this.#inbox.length), 36)
    const sent = this.#sent.get(number)
    if (sent === undefined) return
    if (answer.data.length === 0 && answer.headers?.code === 503) {
      // Nobody listens: it keeps its place and is sent again.
      this.#resendTimer ??= this.#settings.clock.setTimer(nobodyMs, () => {
        this.#resendTimer = undefined
        this.#resend()
      })
      return
    }
    this.#sent.delete(number)
    sent.command.answered(answer)
    if (this.#waiting.length > this.#waitingFrom) this.#fill()
    this.#check()
  }

  #resend(): void {
    if (this.#connection === undefined) return
    for (const [number, sent] of this.#sent) this.#transmit(number, sent)
  }

  #fill(): void {
    while (
      this.#connection !== undefined &&
      this.#waitingFrom < this.#waiting.length &&
      this.#sent.size < this.#settings.windowMax
    ) {
      this.#send(this.#waiting[this.#waitingFrom] as Sent)
      this.#waitingFrom += 1
    }
    if (this.#waitingFrom === this.#waiting.length && this.#waitingFrom > 0) {
      this.#waiting = []
      this.#waitingFrom = 0
    }
  }

  /** One timer for the oldest: all have the same time limit. */
  #watch(): void {
    if (this.#timer !== undefined) return
    const oldest = this.#oldest()
    if (oldest === undefined) return
    const { clock } = this.#settings
    this.#timer = clock.setTimer(Math.max(1, oldest.deadlineMs - clock.monotonicMs()), () => {
      this.#timer = undefined
      this.#expire(clock.monotonicMs())
      this.#watch()
    })
  }

  #oldest(): Sent | undefined {
    for (const sent of this.#sent.values()) return sent
    return this.#waiting[this.#waitingFrom]
  }

  #expire(nowMs: number): void {
    const late: Command[] = []
    for (const [number, { command, deadlineMs }] of this.#sent) {
      if (deadlineMs > nowMs) break
      this.#sent.delete(number)
      late.push(command)
    }
    while (this.#waitingFrom < this.#waiting.length) {
      const { command, deadlineMs } = this.#waiting[this.#waitingFrom] as Sent
      if (deadlineMs > nowMs) break
      this.#waitingFrom += 1
      late.push(command)
    }
    const { timeoutMs } = this.#settings
    const error = new PosthasteError('UNAVAILABLE', `NATS has not answered within ${timeoutMs} ms`)
    for (const command of late) command.failed(error)
    this.#fill()
    this.#check()
  }
}
