import { type ManualClock, manualClock, recordingLog } from 'posthaste/testing'
import { ServerConnection } from '../src/server/server-connection.ts'
import { type Accepted, type PairShape, type Recorder, serverShare } from './connection-rig.ts'
import { type MemoryPipe, pipePair } from './pipes.ts'
import { RawClient } from './raw-client.ts'

/** A server's connection in memory, and a client that keeps to no rule. */
export class RawPair {
  readonly clock: ManualClock = manualClock()
  readonly log = recordingLog()
  readonly accepted: Accepted[] = []
  readonly pipes: { readonly client: MemoryPipe; readonly server: MemoryPipe }
  readonly server: ServerConnection
  readonly client: RawClient
  serverGone = false

  constructor(shape: PairShape = {}) {
    this.pipes = pipePair(shape)
    const { client } = this.pipes
    this.client = new RawClient((bytes) => client.write([bytes]))
    client.attach({
      received: (chunk) => this.client.received(chunk),
      drained: () => {},
      closed: () => {
        this.client.closed = true
      },
    })
    const visitor = { address: '127.0.0.1', certificate: undefined, key: 'x' }
    this.server = new ServerConnection(this.pipes.server, visitor, serverShare(shape, this))
  }

  /** Lets time pass as the sweeper of a listener does. */
  async pass(ms: number, stepMs = 100): Promise<void> {
    for (let passed = 0; passed < ms; passed += stepMs) {
      await this.clock.advance(stepMs)
      this.server.sweep(this.clock.monotonicMs())
      await new Promise((resolve) => setImmediate(resolve))
    }
  }

  /** What the sinks of all streams were told. */
  told(): readonly (readonly string[])[] {
    return this.accepted.map(({ sink }) => (sink as Recorder).told)
  }
}
