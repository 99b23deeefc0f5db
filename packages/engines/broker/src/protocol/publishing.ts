import type { OutgoingRecord } from '@posthaste/contracts'
import type { Reader } from './reader.ts'
import { RecordReader, RecordWriter } from './record-codec.ts'
import type { Writer } from './writer.ts'

/*
 * The stream `posthaste.broker/publish`: a beginning from the client and its answer (JSON), then batches of records, numbered
 * from 1 over the life of the session, and the outcomes of each, in their order. A broker that is about to stop ends the stream
 * when it has told the outcomes of all that it has taken; what came after that was not taken.
 */

/** What a client begins the stream with. */
export interface PublishBeginning {
  readonly session: string
  /** Batches of this session whose outcomes the client has; it is told of those after them. */
  readonly answered: number
  /** Batches are numbered from 1 again: the client has given up all that were before. */
  readonly afresh: boolean
}

/** What the broker answers. */
export interface PublishBegun {
  /** Batches of this session that the broker has; the client sends those after them. */
  readonly taken: number
}

/** Most batches that a client may have under way: the broker keeps the outcomes of so many, for one that comes back. */
export const batchesUnderWayMax = 64

/** Writes batches. */
export class BatchWriter {
  readonly #writer: Writer
  readonly #records: RecordWriter

  constructor(writer: Writer) {
    this.#writer = writer
    this.#records = new RecordWriter(writer, '')
  }

  /** Begins a batch; the records follow, as many of them as there are. */
  begin(): void {
    this.#records.reset('')
  }

  add(record: OutgoingRecord): void {
    this.#records.write(record)
  }

  get length(): number {
    return this.#writer.length
  }

  take(): Uint8Array {
    return this.#writer.take()
  }
}

/** Reads a batch. */
export function readBatch(reader: Reader): readonly OutgoingRecord[] {
  const records: OutgoingRecord[] = []
  const each = new RecordReader(reader, '')
  while (!reader.isAtEnd) records.push(each.read())
  return records
}
