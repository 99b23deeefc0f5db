import type { Headers } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import { manualClock, silentLog } from 'posthaste/testing'
import type { Presence, PresenceListener } from '../src/presence.ts'

/** A stream that was opened, and what was done to it. */
export interface StubStream {
  readonly method: string
  readonly beginning: Uint8Array
  readonly sink: StreamSink
  readonly done: string[]
}

/** A session whose connection is there, and whose other side is the test. */
export class StubPresence {
  readonly host = { clock: manualClock(), log: silentLog }
  readonly time = { aheadMs: 0 }
  readonly session = 'abcdefghijklmnop'
  readonly streams: StubStream[] = []
  readonly listeners = new Set<PresenceListener>()
  isAttached = true

  /** As those see it who live on it. */
  get presence(): Presence {
    return this as unknown as Presence
  }

  async ready(): Promise<void> {}

  soon(): void {}

  listen(listener: PresenceListener): () => void {
    this.listeners.add(listener)
    return () => void this.listeners.delete(listener)
  }

  /** A call is a stream like any other. */
  unary(method: string, beginning: Uint8Array, { sink }: { sink: StreamSink }): LinkStream {
    return this.stream(method, beginning, { sink })
  }

  stream(method: string, beginning: Uint8Array, { sink }: { sink: StreamSink; metadata?: Headers }): LinkStream {
    const done: string[] = []
    this.streams.push({ method, beginning, sink, done })
    return {
      id: this.streams.length,
      send: (body) => done.push(`send ${body[0]}`) > 0,
      end: () => void done.push('end'),
      fail: ({ code }) => void done.push(`fail ${code}`),
      consumed: () => {},
    }
  }
}
