import type { EngineCapabilities, Outcome, OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import { unavailable } from './errors.ts'
import { Pipeline } from './pipeline.ts'
import type { Presence, PresenceListener } from './presence.ts'
import { packParcel, readParcel } from './protocol/calls.ts'
import { readFailures } from './protocol/errors.ts'
import { streams } from './protocol/methods.ts'
import { BatchWriter, batchesUnderWayMax, type PublishBeginning, type PublishBegun } from './protocol/publishing.ts'
import { Reader } from './protocol/reader.ts'
import { Writer } from './protocol/writer.ts'
import { refusalOf } from './refusals.ts'

/**
 * Publishes over one stream, so that the order of the calls is that of the broker. A session that goes on knows which batches
 * it has: those that it does not have are sent again, and none stands twice.
 */
export class Publisher implements PresenceListener {
  readonly #presence: Presence
  readonly #pipeline: Pipeline<OutgoingRecord>
  #stream: LinkStream | undefined
  /** What the broker knows of batches of this session counts no more. */
  #isAfresh = false

  constructor(
    presence: Presence,
    { timeoutMs, capabilities }: { timeoutMs: number; capabilities: EngineCapabilities },
  ) {
    this.#presence = presence
    const writer = new Writer()
    const batch = new BatchWriter(writer)
    const { time } = presence
    this.#pipeline = new Pipeline({
      clock: presence.host.clock,
      timeoutMs,
      underWayMax: batchesUnderWayMax,
      refuse: (record) => refusalOf(record, capabilities),
      begin() {
        writer.discard()
        batch.begin()
      },
      pack: (record) =>
        batch.add(
          record.dueAtMs === undefined || time.aheadMs === 0
            ? record
            : { ...record, dueAtMs: time.atServer(record.dueAtMs) },
        ),
      packedBytes: () => writer.length,
      send: () => this.#stream?.send(batch.take()) ?? false,
    })
    presence.listen(this)
    if (presence.isAttached) this.attached()
  }

  publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    if (this.#stream === undefined && this.#presence.isAttached) this.attached()
    return this.#pipeline.add(records)
  }

  /** Resolves when all that was published is answered. */
  idle(): Promise<void> {
    return this.#pipeline.idle()
  }

  /** Nothing more will be answered. */
  fail(error: PosthasteError): void {
    this.#isAfresh = true
    this.#pipeline.fail({ ok: false, error })
  }

  attached(): void {
    const beginning: PublishBeginning = {
      session: this.#presence.session,
      answered: this.#pipeline.answeredBatches,
      afresh: this.#isAfresh,
    }
    let isBegun = false
    const over = (error: PosthasteError): void => {
      if (this.#stream !== stream) return
      this.#stream = undefined
      this.#pipeline.detach()
      // The connection is there and does not want this: nothing else will come of it.
      if (this.#presence.isAttached && error.code !== 'UNAVAILABLE') this.fail(error)
      this.#presence.soon(() => {
        if (this.#stream === undefined && this.#presence.isAttached) this.attached()
      })
    }
    const sink: StreamSink = {
      message: (body) => {
        if (this.#stream !== stream) return
        if (isBegun) return this.#answered(body)
        isBegun = true
        // Not before: what the broker did not hear, it must be told again.
        this.#isAfresh = false
        this.#pipeline.attach((readParcel(body).head as PublishBegun).taken)
      },
      // Of one that is about to stop; it has answered all that it has taken.
      ended: () => {
        if (this.#stream === stream) this.#pipeline.returned()
        stream.end()
        over(unavailable('the broker takes nothing more'))
      },
      failed: over,
      writable: () => this.#pipeline.writable(),
    }
    const stream = this.#presence.stream(streams.publish, packParcel(beginning), { sink })
    this.#stream = stream
  }

  detached(): void {
    this.#stream = undefined
    this.#pipeline.detach()
  }

  /** Whoever published knows best whether to do so again, under the same id. */
  lost(reason: PosthasteError): void {
    this.#pipeline.restart({ ok: false, error: unavailable('nobody knows whether the broker has it', reason) })
  }

  draining(): void {}

  /** Several batches may be answered at once. */
  #answered(body: Uint8Array): void {
    const reader = new Reader(body)
    while (!reader.isAtEnd) this.#pipeline.answered(readFailures(reader))
  }
}
