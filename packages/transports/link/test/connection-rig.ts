import { type Log, PosthasteError } from '@posthaste/contracts'
import type { ManualClock } from 'posthaste/testing'
import { manualClock, recordingLog } from 'posthaste/testing'
import { ClientConnection, type ClientOwner } from '../src/client/client-connection.ts'
import { ClientStream } from '../src/client/client-stream.ts'
import { limitsOf } from '../src/connection/limits.ts'
import type { LinkCredentials, LinkIdentity, LinkLimits, ServerTerms } from '../src/connection/options.ts'
import type { IncomingStream, LinkStream, OutgoingStream, StreamSink } from '../src/connection/types.ts'
import { ServerConnection, type ServerShare } from '../src/server/server-connection.ts'
import { ChunkPool } from '../src/wire/batch.ts'
import { type MemoryPipe, type PipeShape, pipePair } from './pipes.ts'

/** A sink that writes down what it is told. */
export class Recorder implements StreamSink {
  readonly messages: string[] = []
  readonly bodies: Uint8Array[] = []
  /** All that was told, in order: `message 5 last`, `ended`, `failed CODE`, `writable`. */
  readonly told: string[] = []
  error: PosthasteError | undefined
  metadata: Readonly<Record<string, string>> | undefined
  holdsCredit: boolean
  onMessage: (body: Uint8Array, flags: number) => void = () => {}
  onWritable: () => void = () => {}

  constructor(holdsCredit = false) {
    this.holdsCredit = holdsCredit
  }

  message(body: Uint8Array, flags: number): void {
    this.messages.push(Buffer.from(body).toString('latin1'))
    this.bodies.push(body)
    this.told.push(`message ${body.length}${(flags & 1) === 0 ? '' : ' last'}${(flags & 8) === 0 ? '' : ' compressed'}`)
    this.onMessage(body, flags)
  }

  ended(metadata: Readonly<Record<string, string>>): void {
    this.metadata = metadata
    this.told.push('ended')
  }

  failed(error: PosthasteError): void {
    this.error = error
    this.told.push(`failed ${error.code}${error.notSent ? ' not sent' : ''}`)
  }

  writable(): void {
    this.told.push('writable')
    this.onWritable()
  }
}

/** A stream as the server has it. */
export interface Accepted {
  readonly opening: IncomingStream
  readonly stream: LinkStream
  readonly sink: Recorder
}

/** What a pair of connections is like. */
export interface PairShape extends PipeShape {
  readonly limits?: LinkLimits
  readonly clientLimits?: LinkLimits
  readonly token?: string
  readonly authenticate?: (credentials: LinkCredentials) => LinkIdentity | undefined | Promise<LinkIdentity>
  readonly compressAboveBytes?: number
  /** Makes the sink of a stream; throws to refuse it. */
  readonly sink?: (opening: IncomingStream, stream: LinkStream) => Recorder
}

/** Both sides of a connection in memory. */
export class Pair implements ClientOwner {
  readonly clock: ManualClock = manualClock()
  readonly log = recordingLog()
  readonly pipes: { readonly client: MemoryPipe; readonly server: MemoryPipe }
  readonly server: ServerConnection
  readonly client: ClientConnection
  readonly accepted: Accepted[] = []
  readonly movedStreams: ClientStream[] = []
  terms: ServerTerms | undefined
  /** What the client was told of its connection. */
  readonly told: string[] = []
  serverGone = false

  constructor(shape: PairShape = {}) {
    const { clock, log } = this
    this.pipes = pipePair(shape)
    const visitor = { address: '127.0.0.1', certificate: undefined, key: 'x' }
    this.server = new ServerConnection(this.pipes.server, visitor, serverShare(shape, this))
    const limits = limitsOf(shape.clientLimits ?? shape.limits ?? {})
    const share = { clock, log, limits, pool: new ChunkPool(), owner: this, agent: 'test', compression: true }
    this.client = new ClientConnection(this.pipes.client, shape.token, share)
  }

  open(
    opening: Partial<OutgoingStream> = {},
    sink: Recorder = new Recorder(),
  ): { stream: ClientStream; sink: Recorder } {
    const whole = { method: 'shop.Inventory/check', metadata: {}, codec: 'application/json', ...opening }
    const stream = new ClientStream(whole, sink, this.client)
    this.client.open(stream, this.clock.monotonicMs())
    return { stream, sink }
  }

  connected(_connection: ClientConnection, terms: ServerTerms): void {
    this.terms = terms
    this.told.push('connected')
  }

  leaving(_connection: ClientConnection, error: PosthasteError | undefined): void {
    this.told.push(`leaving ${error?.code ?? 'orderly'}`)
  }

  moved(stream: ClientStream): void {
    this.movedStreams.push(stream)
  }

  room(): void {}

  gone(_connection: ClientConnection, cause: PosthasteError): void {
    this.told.push(`gone ${cause.code}`)
  }
}

/** Whose server it is. */
export interface ServerSide {
  readonly clock: ManualClock
  readonly log: Log
  readonly accepted: Accepted[]
  serverGone: boolean
}

/** What the server of a pair shares, recording what it accepts. */
export function serverShare(shape: PairShape, pair: ServerSide): ServerShare {
  return {
    clock: pair.clock,
    log: pair.log,
    limits: limitsOf(shape.limits ?? {}),
    pool: new ChunkPool(),
    codecs: ['application/json', 'application/protobuf'],
    compressAboveBytes: shape.compressAboveBytes,
    methodsMax: 2,
    agent: 'test',
    authenticate: shape.authenticate ?? (() => undefined),
    admit: () => {},
    gone: () => {
      pair.serverGone = true
    },
    accept(opening, stream) {
      const sink = shape.sink?.(opening, stream) ?? new Recorder()
      pair.accepted.push({ opening, stream, sink })
      return sink
    },
  }
}

/** A body of so many bytes. */
export function bodyOf(text: string): Uint8Array {
  return Buffer.from(text, 'latin1')
}

/** An error a test fails with. */
export function problem(code: 'NOT_FOUND' | 'CANCELLED' | 'DEADLINE_EXCEEDED'): PosthasteError {
  return new PosthasteError(code, 'as the test wants it')
}
