import { PosthasteError } from '@posthaste/contracts'
import { ClientConnection, type ClientOwner } from '../../src/client/client-connection.ts'
import { ClientStream } from '../../src/client/client-stream.ts'
import type { Carrier } from '../../src/connection/stream.ts'
import { lastMessage } from '../../src/connection/types.ts'
import type { Input } from './inputs.ts'
import { grantedBy, Overhearing } from './overhearing.ts'
import type { Random } from './random.ts'
import { type Conduct, WatchedSink } from './watched-sink.ts'
import { Fault, HandClock, OpenPipe, shareOf } from './world.ts'

const conducts: readonly Conduct[] = ['hold', 'silent', 'fail', 'flood']
const body = Buffer.alloc(30_000, 'fuzz')

/** Clients that connect to a server that may say anything. */
export class ClientTarget {
  readonly #clock = new HandClock()
  readonly #share = shareOf(this.#clock)

  /** Has a connection open a few streams, and read an input, to the loss of the connection. */
  async check(input: Input, random: Random): Promise<void> {
    const client = new Overhearing('client', input.hello)
    const pipe = new OpenPipe((piece) => {
      client.hear(piece)
      return !random.once(20)
    })
    const caller = new Caller(random)
    const connection = new ClientConnection(pipe, 'secret', {
      ...this.#share,
      owner: caller,
      agent: 'fuzz',
      compression: true,
    })
    let at = 0
    for (const length of input.chunks) {
      pipe.events?.received(input.bytes.subarray(at, at + length))
      at += length
      if (random.once(10)) await this.#turn(connection, caller)
      if (random.once(8)) pipe.events?.drained()
    }
    await this.#turn(connection, caller)
    if (random.once(4)) connection.drain()
    if (random.once(4)) connection.stop()
    await this.#turn(connection, caller)
    pipe.events?.closed(undefined)
    client.check(grantedBy(input))
    caller.checkOver()
  }

  async #turn(connection: ClientConnection, caller: Caller): Promise<void> {
    await new Promise(setImmediate)
    caller.stir()
    if (caller.random.once(6)) this.#clock.advance(caller.random.pick([1, 1000, 6000, 40_000]))
    connection.sweep(this.#clock.monotonicMs())
  }
}

/** Opens streams as soon as it may, and as many again as the server sends away. */
class Caller implements ClientOwner {
  readonly random: Random
  readonly #sinks: WatchedSink[] = []
  readonly #moved = new Set<ClientStream>()
  #gone = 0

  constructor(random: Random) {
    this.random = random
  }

  connected(connection: ClientConnection): void {
    for (let count = 0; count < 3 && connection.hasRoom; count++) this.#open(connection)
  }

  leaving(): void {}

  room(): void {}

  moved(stream: ClientStream): void {
    if (this.#moved.has(stream)) throw new Fault('a stream was moved twice')
    this.#moved.add(stream)
    stream.carrier = nowhere
    stream.sink.failed(elsewhere)
  }

  gone(): void {
    this.#gone++
  }

  stir(): void {
    for (const sink of this.#sinks) if (this.random.once(3)) sink.stir()
  }

  checkOver(): void {
    if (this.#gone !== 1) throw new Fault(`a connection went ${this.#gone} times`)
    for (const sink of this.#sinks) sink.checkOver()
  }

  #open(connection: ClientConnection): void {
    const { random } = this
    const bytes = random.once(4) ? undefined : body.subarray(0, random.pick([0, 10, 5000, 30_000]))
    const flags = random.once(2) ? lastMessage : 0
    const opening = { method: random.pick(['a/b', 'c/d']), metadata: {}, codec: 'application/json', body: bytes, flags }
    const sink = new WatchedSink(random.pick(conducts), random)
    const stream = new ClientStream(opening, sink, nowhere)
    sink.attach(stream, flags === lastMessage)
    try {
      connection.open(stream, 0)
      this.#sinks.push(sink)
    } catch (error) {
      // The server may have named other codecs, or smaller bounds.
      if (!PosthasteError.is(error)) throw error
    }
  }
}

const elsewhere = new PosthasteError('UNAVAILABLE', 'the stream would go to another connection')

/** Where streams wait until they are opened; none of these does. */
const nowhere: Carrier = { send: () => false, end: () => undefined, fail: () => undefined, consumed: () => undefined }
