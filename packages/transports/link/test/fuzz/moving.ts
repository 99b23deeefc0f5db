import { type Headers, PosthasteError } from '@posthaste/contracts'
import { ClientConnection, type ClientOwner } from '../../src/client/client-connection.ts'
import { ClientStream } from '../../src/client/client-stream.ts'
import { Waiting } from '../../src/client/waiting.ts'
import { lastMessage, type OutgoingStream, type StreamSink } from '../../src/connection/types.ts'
import { endInShort, messageInShort, PlainServer, type Windows } from './plain-server.ts'
import type { Random } from './random.ts'
import { Fault, HandClock, shareOf } from './world.ts'

const clock = new HandClock()
const shared = shareOf(clock)
const bytes = Buffer.from(Uint8Array.from({ length: 50_000 }, (_, at) => at * 31 + (at >>> 8)))
const sizes = [0, 1, 300, 300, 5_000, 16_384, 30_000] as const
const metadatas: readonly Headers[] = [{}, {}, { tenant: 'north' }]
const callsMost = 6
const givenUp = new PosthasteError('CANCELLED', 'enough')

/**
 * A client whose server goes away: what the server had not worked on goes to another one, whole and once, and what it had
 * worked on stays and ends there. Credit comes piecemeal, so that some of what was said still waits when that happens.
 */
export class Moving {
  readonly #random: Random
  readonly #calls: Call[] = []
  readonly #waiting = new Waiting()
  /** Servers one after another; calls are made to the last one. */
  readonly #places: Place[] = []

  constructor(random: Random) {
    this.#random = random
  }

  /** @throws Fault where something was lost, was said twice, or went where it should not have gone */
  check(): void {
    const random = this.#random
    this.#connect({ streamWindow: 16_384, connectionWindow: random.pick([16_384, 65_536]) })
    for (let left = 1 + random.below(callsMost); left > 0; left--) this.#open()
    this.#steps(12)
    for (let hops = 1 + random.below(2); hops > 0; hops--) {
      this.#leave()
      this.#steps(6)
      if (random.once(3)) this.#leave()
      this.#connect({ streamWindow: 16_384, connectionWindow: random.pick([16_384, 65_536]) })
      clock.advance(random.pick([0, 7, 3_000]))
      for (let stream = this.#waiting.take(); stream !== undefined; stream = this.#waiting.take()) this.#reopen(stream)
      this.#steps(6)
    }
    for (const call of this.#calls) if (!call.isOver) this.#end(call)
    for (const { connection, server } of this.#places) {
      connection.stop()
      server.flush()
      server.pipe.events?.closed(undefined)
      server.check()
    }
    for (const call of this.#calls) call.check()
  }

  #connect(windows: Windows): void {
    const server = new PlainServer(() => !this.#random.once(20))
    const owner: ClientOwner = {
      connected: () => undefined,
      leaving: () => undefined,
      room: () => undefined,
      moved: (stream) => this.#moved(stream),
      gone: () => undefined,
    }
    const share = { ...shared, owner, agent: 'fuzz', compression: false }
    this.#places.push({ server, connection: new ClientConnection(server.pipe, undefined, share) })
    server.greet(windows)
  }

  get #here(): Place {
    return this.#places.at(-1) as Place
  }

  #open(): void {
    const call = new Call(this.#random)
    this.#calls.push(call)
    call.place = this.#here
    this.#here.connection.open(call.stream, clock.nowMs())
    clock.advance(this.#random.below(3))
    if (this.#random.once(2)) this.#here.server.flush()
  }

  #steps(most: number): void {
    for (let left = this.#random.below(most); left > 0; left--) this.#step(this.#random.pick(this.#calls))
  }

  /** Something is said, there is more credit, or an answer: the last two show that a server has worked on the stream. */
  #step(call: Call): void {
    const random = this.#random
    const dice = random.below(20)
    if (dice < 10) call.say()
    else if (dice < 12) this.#here.server.grant(0, 1 + random.below(30_000))
    else if (dice === 12) call.giveUp()
    else if (!call.isOver && call.place !== undefined) this.#workOn(call, call.place.server)
    if (random.once(2)) this.#here.server.flush()
  }

  #workOn(call: Call, server: PlainServer): void {
    // A server works on nothing that it has not heard of.
    server.flush()
    call.isWorkedOn = true
    const dice = this.#random.below(12)
    if (dice < 6 || call.isAnswered) server.grant(call.stream.id, 1 + this.#random.below(30_000))
    else if (dice < 11) {
      const isLast = dice > 8
      server.message(call.stream.id, call.answer(isLast), isLast)
    } else {
      call.isOver = true
      server.fail(call.stream.id, givenUp)
    }
  }

  #leave(): void {
    const { server } = this.#here
    const last = this.#random.below(this.#calls.length + 2)
    const here = this.#calls.filter(({ place, isOver }) => place === this.#here && !isOver)
    const goes = here.filter(({ isWorkedOn, stream }) => !isWorkedOn && stream.id > last)
    server.flush()
    for (const { stream } of goes) server.doneWith(stream.id)
    server.goaway(last)
    for (const call of here) {
      const wanted = goes.includes(call) ? undefined : this.#here
      if (call.place !== wanted) throw new Fault(`${call.name} ${wanted ? 'moved' : 'stayed'} at GOAWAY ${last}`)
    }
  }

  #moved(stream: ClientStream): void {
    const call = this.#callOf(stream)
    if (call.isOver || call.place === undefined) call.wrong('it was moved, and should not have been')
    call.place = undefined
    this.#waiting.add(stream, clock.nowMs())
  }

  #reopen(stream: ClientStream): void {
    const call = this.#callOf(stream)
    call.waitedMs = clock.nowMs() - call.openedAtMs
    call.place = this.#here
    this.#here.connection.open(stream, clock.nowMs())
    if (this.#random.once(2)) this.#here.server.flush()
  }

  #callOf(stream: ClientStream): Call {
    return this.#calls.find((each) => each.stream === stream) as Call
  }

  /** All that a call has said arrives, once there is credit for it, and what it is answered arrives there. */
  #end(call: Call): void {
    const { server } = call.place as Place
    const { id } = call.stream
    server.flush()
    server.grant(0)
    server.grant(id)
    server.check()
    call.checkHeard(server.heard.get(id))
    if (!call.isAnswered) server.message(id, call.answer(true), true)
    if (!call.stream.closed) call.stream.end()
    call.checkAnswers()
  }
}

interface Place {
  readonly server: PlainServer
  readonly connection: ClientConnection
}

/** A stream as its caller has it: what was said and answered. */
class Call implements StreamSink {
  readonly stream: ClientStream
  readonly openedAtMs = clock.nowMs()
  readonly #random: Random
  readonly #opening: OutgoingStream
  readonly #said: string[] = []
  readonly #answers: string[] = []
  readonly #answered: string[] = []
  /** Kept, because a connection catches what a sink throws. */
  #fault: Fault | undefined
  /** Where it is; undefined while it waits for another server. */
  place: Place | undefined
  waitedMs = 0
  isWorkedOn = false
  isAnswered = false
  isOver = false

  constructor(random: Random) {
    this.#random = random
    const body = random.once(4) ? undefined : this.#message()
    const flags = random.once(4) ? lastMessage : 0
    this.#opening = {
      method: random.pick(['a/b', 'c/d']),
      metadata: random.pick(metadatas),
      timeoutMs: random.once(2) ? undefined : random.below(5_000),
      codec: 'application/json',
      body,
      flags,
    }
    if (body !== undefined) this.#said.push(messageInShort(body, flags === lastMessage))
    else if (flags === lastMessage) this.#said.push(endInShort({}))
    this.stream = new ClientStream(this.#opening, this, new Waiting())
  }

  /** The next message, or the end. */
  say(): void {
    if (this.isOver || this.stream.closed) return
    if (this.#random.once(5)) {
      const metadata = this.#random.pick(metadatas)
      this.#said.push(endInShort(metadata))
      this.stream.end(metadata)
      return
    }
    const body = this.#message()
    const isLast = this.#random.once(5)
    this.#said.push(messageInShort(body, isLast))
    this.stream.send(body, isLast ? lastMessage : 0)
  }

  giveUp(): void {
    if (this.isOver) return
    this.isOver = true
    this.stream.fail(givenUp)
  }

  /** What a server answers next. */
  answer(isLast: boolean): Buffer {
    this.isAnswered = isLast
    const body = bytes.subarray(0, this.#random.below(300))
    this.#answers.push(messageInShort(body, false))
    return body
  }

  message(body: Uint8Array): void {
    this.#answered.push(messageInShort(body, false))
  }

  ended(): void {}

  failed(error: PosthasteError): void {
    if (!this.isOver) this.wrong(`it failed: ${error.message}`)
  }

  writable(): void {}

  checkHeard(heard: ReturnType<PlainServer['heard']['get']>): void {
    const { method, metadata, timeoutMs } = this.#opening
    const leftMs = timeoutMs === undefined ? undefined : Math.max(0, timeoutMs - this.waitedMs)
    const wanted = [method, JSON.stringify(metadata), leftMs, ...this.#said].join()
    const found = [heard?.method, heard?.metadata, heard?.timeoutMs, ...(heard?.said ?? [])].join()
    if (found !== wanted) throw new Fault(`of ${this.name} was heard: ${found}; said: ${wanted}`)
  }

  get name(): string {
    return `stream ${this.stream.id}`
  }

  wrong(what: string): void {
    this.#fault ??= new Fault(`${this.name}: ${what}`)
  }

  check(): void {
    if (this.#fault !== undefined) throw this.#fault
  }

  checkAnswers(): void {
    this.isOver = true
    const [found, wanted] = [this.#answered.join(), this.#answers.join()]
    if (found !== wanted) throw new Fault(`${this.name} was answered: ${wanted}; its sink has: ${found}`)
  }

  #message(): Buffer {
    const start = this.#random.below(1_000)
    return bytes.subarray(start, start + this.#random.pick(sizes))
  }
}
