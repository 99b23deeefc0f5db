import { PosthasteError } from '@posthaste/contracts'
import type { StreamAcceptor } from '../../src/connection/types.ts'
import { ServerConnection, type ServerShare } from '../../src/server/server-connection.ts'
import type { Input } from './inputs.ts'
import { grantedBy, Overhearing } from './overhearing.ts'
import type { Random } from './random.ts'
import { type Conduct, WatchedSink } from './watched-sink.ts'
import { Fault, HandClock, OpenPipe, shareOf } from './world.ts'

const conducts: readonly string[] = ['echo', 'hold', 'flood', 'fail', 'silent', 'early'] satisfies Conduct[]

/** A server that takes connections from anybody. */
export class ServerTarget {
  readonly clock = new HandClock()
  readonly share: ServerShare
  readonly connections = new Set<ServerConnection>()
  #random: Random | undefined
  #sinks: WatchedSink[] = []

  constructor() {
    this.share = {
      ...shareOf(this.clock),
      accept: this.#accept,
      codecs: ['application/json'],
      compressAboveBytes: 1000,
      methodsMax: 8,
      agent: 'fuzz',
      authenticate: () => undefined,
      admit: () => undefined,
      gone: (connection) => {
        if (!this.connections.delete(connection)) throw new Fault('a connection is gone that is not there')
      },
    }
  }

  /** Has a connection read an input, from its beginning to the loss of the connection, while time passes. */
  async check(input: Input, random: Random): Promise<void> {
    const server = new Overhearing('server', input.hello)
    const pipe = new OpenPipe((piece) => {
      server.hear(piece)
      return !random.once(20)
    })
    const connection = this.connect(pipe, random)
    let at = 0
    for (const length of input.chunks) {
      pipe.events?.received(input.bytes.subarray(at, at + length))
      at += length
      if (random.once(10)) await this.#turn(connection, random)
      if (random.once(8)) pipe.events?.drained()
    }
    await this.#turn(connection, random)
    if (random.once(4)) connection.drain()
    await this.#turn(connection, random)
    if (random.once(4)) connection.stop()
    pipe.events?.closed(random.once(2) ? undefined : new Error('reset'))
    server.check(grantedBy(input))
    this.#checkGone(connection)
  }

  /** A connection over a pipe, whose sinks do as chance has it. */
  connect(pipe: OpenPipe, random: Random): ServerConnection {
    this.#random = random
    this.#sinks = []
    const connection = new ServerConnection(pipe, { address: '', certificate: undefined, key: 'fuzz' }, this.share)
    this.connections.add(connection)
    return connection
  }

  async #turn(connection: ServerConnection, random: Random): Promise<void> {
    await new Promise(setImmediate)
    for (const sink of this.#sinks) if (random.once(3)) sink.stir()
    if (random.once(6)) this.clock.advance(random.pick([1, 1000, 6000, 40_000]))
    connection.sweep(this.clock.monotonicMs())
    if (connection.running > this.share.limits.streamsMax) throw new Fault(`${connection.running} streams run`)
  }

  #checkGone(connection: ServerConnection): void {
    if (this.connections.has(connection)) throw new Fault('a connection did not go')
    for (const sink of this.#sinks) sink.checkOver()
  }

  readonly #accept: StreamAcceptor = ({ method }, stream) => {
    const conduct = method.slice('fuzz/'.length)
    if (conduct === 'throw') throw new TypeError('a mistake of the acceptor')
    if (!conducts.includes(conduct)) throw new PosthasteError('UNIMPLEMENTED', 'nobody serves this')
    const sink = new WatchedSink(conduct as Conduct, this.#random as Random)
    this.#sinks.push(sink)
    sink.attach(stream)
    return sink
  }
}
