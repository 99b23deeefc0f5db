import {
  batchesUnderWayMax,
  malformed,
  type PublishBeginning,
  type PublishBegun,
  packParcel,
  Reader,
  readBatch,
  readParcel,
  Writer,
  writeOutcomes,
} from '@posthaste/broker/protocol'
import { type Outcome, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import type { LinkStream, StreamSink } from '@posthaste/link/connection'
import type { Grants } from '../access/grants.ts'
import { denied, tooLarge } from './denied.ts'
import { publishBeginning } from './heads.ts'
import { InOrder } from './in-order.ts'
import type { Surroundings } from './surroundings.ts'

/** Batches whose outcomes are kept. */
const keptMax = 2 * batchesUnderWayMax

/** What a session has published: how many batches it is, and how the last of them went. */
export class Publications {
  readonly #grants: Grants
  readonly #around: Surroundings
  /** Outcomes of the last batches, by their numbers: for a client that comes back and has not heard of them. */
  #results = new Map<number, readonly Outcome[]>()
  #answers = this.#inOrder()
  #taken = 0
  #answeredBatches = 0
  /** The newest that the client of this stream was told of. */
  #told = 0
  #stream: LinkStream | undefined
  #isScheduled = false
  /** Set when no more is taken: called when all that was is answered. */
  #finished: (() => void) | undefined
  readonly #writer = new Writer()

  constructor(grants: Grants, around: Surroundings) {
    this.#grants = grants
    this.#around = around
  }

  /** A stream has come, in place of one that is gone. */
  attach(stream: LinkStream, { answered, afresh }: PublishBeginning): void {
    if (afresh) {
      this.#results = new Map()
      // What is still under way is answered to nobody.
      this.#answers = this.#inOrder()
      this.#taken = 0
      this.#answeredBatches = 0
      this.#finished?.()
    }
    const oldest = Math.max(0, this.#answeredBatches - keptMax)
    if (!Number.isInteger(answered) || answered < oldest || answered > this.#taken)
      throw malformed(`the outcomes of ${answered} batches cannot be known`)
    this.#told = answered
    this.#stream = stream
    const begun: PublishBegun = { taken: this.#taken }
    stream.send(packParcel(begun))
    if (this.#finished !== undefined && this.#answeredBatches === this.#taken) this.#close()
    else this.#tellSoon()
  }

  /**
   * Takes no more batches, answers those it has, and ends the stream: by that the client knows that it may publish the others
   * elsewhere.
   */
  async finish(): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>()
    this.#finished = resolve
    if (this.#answeredBatches < this.#taken) await promise
    this.#close()
  }

  #close(): void {
    this.#tell()
    this.#stream?.end()
    this.#stream = undefined
  }

  #inOrder(): InOrder {
    const answers: InOrder = new InOrder((outcomes) => {
      if (this.#answers === answers) this.#answered(outcomes)
    })
    return answers
  }

  detach(stream: LinkStream): void {
    if (this.#stream === stream) this.#stream = undefined
  }

  /** Takes a batch. Hot path. */
  take(body: Uint8Array, stream: LinkStream): void {
    // Of a connection that was followed by another: the client has been told that it is not here, and sends it again.
    if (this.#stream !== stream) return
    if (this.#finished !== undefined) {
      stream.consumed(body.byteLength)
      return
    }
    const records = readBatch(new Reader(body))
    this.#taken += 1
    const bytes = body.byteLength
    const answer = this.#publish(records)
    this.#answers.add(answer)
    this.#grants.quota.took({ records: records.length, bytes }, answer, () => stream.consumed(bytes))
  }

  #publish(records: readonly OutgoingRecord[]): Promise<readonly Outcome[]> {
    const { engine, figures } = this.#around
    figures.published += records.length
    const refusals = this.#refusals(records)
    const answered =
      refusals === undefined
        ? engine.publish(records)
        : engine
            .publish(records.filter((_, at) => refusals[at] === undefined))
            .then((outcomes) => merged(refusals, outcomes))
    return answered.catch((thrown: unknown) => {
      const error = PosthasteError.from(thrown, 'INTERNAL', 'publishing')
      return new Array<Outcome>(records.length).fill({ ok: false, error })
    })
  }

  /** Why each may not be published, by their places; undefined where all of them may, as nearly always. */
  #refusals(records: readonly OutgoingRecord[]): (PosthasteError | undefined)[] | undefined {
    const { permissions, user } = this.#grants
    const { bodyBytesMax } = this.#around.config.limits
    let refusals: (PosthasteError | undefined)[] | undefined
    let [asked, isAllowed]: [string | undefined, boolean] = [undefined, false]
    for (let at = 0; at < records.length; at++) {
      const { channel, body, id } = records[at]!
      if (channel !== asked) {
        asked = channel
        isAllowed = permissions.may('publish', channel)
      }
      if (isAllowed && body.byteLength <= bodyBytesMax) continue
      refusals ??= new Array<PosthasteError | undefined>(records.length).fill(undefined)
      refusals[at] = isAllowed ? tooLarge(id, bodyBytesMax) : denied(user, 'publish', `to '${channel}'`)
    }
    return refusals
  }

  #answered(outcomes: readonly Outcome[]): void {
    this.#answeredBatches += 1
    this.#results.set(this.#answeredBatches, outcomes)
    this.#results.delete(this.#answeredBatches - keptMax)
    if (this.#answeredBatches === this.#taken) this.#finished?.()
    this.#tellSoon()
  }

  /** What comes in one turn is told in one message. */
  #tellSoon(): void {
    if (this.#isScheduled || this.#stream === undefined) return
    this.#isScheduled = true
    queueMicrotask(() => {
      this.#isScheduled = false
      this.#tell()
    })
  }

  #tell(): void {
    const stream = this.#stream
    if (stream === undefined) return
    while (this.#told < this.#answeredBatches) writeOutcomes(this.#writer, this.#results.get(++this.#told) ?? [])
    if (this.#writer.length > 0) stream.send(this.#writer.take())
  }
}

function merged(refusals: readonly (PosthasteError | undefined)[], outcomes: readonly Outcome[]): readonly Outcome[] {
  let next = 0
  return refusals.map((error) => (error === undefined ? outcomes[next++]! : { ok: false, error }))
}

/** The stream of a session's publications. */
export function publishing(
  find: (id: string) => { readonly publications: Publications },
  stream: LinkStream,
): StreamSink {
  let publications: Publications | undefined
  const over = (): void => publications?.detach(stream)
  return {
    holdsCredit: true,
    message(body) {
      try {
        if (publications !== undefined) return publications.take(body, stream)
        const beginning = publishBeginning(readParcel(body).head)
        publications = find(beginning.session).publications
        publications.attach(stream, beginning)
        stream.consumed(body.byteLength)
      } catch (thrown) {
        over()
        stream.fail(PosthasteError.from(thrown, 'BODY_MALFORMED', 'publish'))
      }
    },
    ended() {
      over()
      stream.end()
    },
    failed() {
      over()
      stream.end()
    },
    writable() {},
  }
}
