import type { ByteReader } from './bytes.ts'

/** A request of the protocol, in the flexible versions with tagged fields. */
export interface Request<Answer> {
  readonly key: number
  readonly version: number
  write(): Buffer
  read(reader: ByteReader): Answer
}
