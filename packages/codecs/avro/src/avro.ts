import { Buffer } from 'node:buffer'
import { type Codec, type ErrorCode, type Issue, PosthasteError } from '@posthaste/contracts'
import { withBuffers } from './bytes.ts'
import { type AvroOptions, type AvroSettings, readOptions, refusal } from './options.ts'
import { depthMax, structureOf } from './structure.ts'
import { type AvroSchema, type AvroType, dataSchemaOf } from './types.ts'

export type { AvroContentType, AvroOptions } from './options.ts'
export type { AvroSchema } from './types.ts'

/**
 * Apache Avro as the format of one contract's messages: the binary encoding alone, which holds no names and no types, so each
 * message says in `dataschema` which schema wrote it. What another schema wrote is read if it is one of `writers`, and made
 * into what this schema expects by Avro's rules: defaults for what is missing, promoted numbers, aliases. A newer writer is
 * read by an older reader that has been given its schema, so readers are told first.
 *
 * Data is what `avsc` takes: a `long` as a number where that is exact and as a `bigint` where not, bytes as `Uint8Array`, a
 * union as the bare value unless its branches cannot be told apart (then `{ branch: value }`), an enum as text. Logical types
 * are what they stand on.
 *
 * @param schema what is written, and what all messages are read as
 * @throws CONFIG_INVALID listing every mistake, writers that cannot be resolved included. The codec throws PAYLOAD_INVALID with
 *   an issue per part that does not fit the schema, fields it does not have included; BODY_MALFORMED for bytes that are no
 *   value of the writer's schema, for an unknown `dataschema`, for over 65,536 items without bytes, and for what is nested
 *   deeper than 128
 * @see https://avro.apache.org/docs/1.12.0/specification/
 */
export function avro(schema: AvroSchema, options: AvroOptions = {}): Codec {
  const settings = readOptions(schema, options)
  const { type, contentType, dataSchema } = settings
  const readers = readersOf(settings)
  const check = structureOf(type)

  return Object.freeze<Codec>({
    contentType,
    dataSchema,
    encode(value) {
      try {
        const prepared = withBuffers(value, depthMax)
        refuseMisfit(type, prepared)
        const bytes = type.toBuffer(prepared)
        check(bytes)
        return bytes
      } catch (cause) {
        throw failure('PAYLOAD_INVALID', 'the data cannot be written as Avro', cause)
      }
    },
    decode(body, writtenWith = dataSchema) {
      const read = readers.get(writtenWith)
      if (read === undefined) throw unknownWriter(writtenWith)
      try {
        return read(body)
      } catch (cause) {
        throw failure('BODY_MALFORMED', 'the body is not Avro of the schema that it names', cause)
      }
    },
  })
}

/** What reads a body of one writer. */
type Reader = (body: Uint8Array) => unknown

function readersOf({ type, writers, dataSchema }: AvroSettings): ReadonlyMap<string, Reader> {
  const issues: Issue[] = []
  const readers = new Map<string, Reader>()
  for (const [uri, writer] of writers) {
    try {
      readers.set(uri, readerOf(type, writer))
    } catch (cause) {
      issues.push({ path: 'writers', message: `${uri} cannot be read as the schema: ${(cause as Error).message}` })
    }
  }
  if (issues.length > 0) throw refusal(issues)
  // Whoever sets a name of their own still reads what was written under the fingerprint.
  const fingerprint = dataSchemaOf(type)
  if (!readers.has(fingerprint)) readers.set(fingerprint, readers.get(dataSchema)!)
  return readers
}

function readerOf(type: AvroType, writer: AvroType): Reader {
  const check = structureOf(writer)
  const resolver = writer === type ? undefined : type.createResolver(writer)
  return (body) => {
    check(body)
    return type.fromBuffer(Buffer.from(body.buffer, body.byteOffset, body.byteLength), resolver)
  }
}

const issuesMax = 20

function refuseMisfit(type: AvroType, value: unknown): void {
  const issues: Issue[] = []
  const errorHook = (path: readonly string[], part: unknown, expected: AvroType): void => {
    const at = path.join('.')
    if (issues.length < issuesMax) issues.push({ path: at, message: misfit(part, expected) })
  }
  if (type.isValid(value, { noUndeclaredFields: true, errorHook: errorHook as never })) return
  const told = issues.map(({ path, message }) => (path === '' ? message : `${path} ${message}`)).join('; ')
  throw new PosthasteError('PAYLOAD_INVALID', `the data does not fit the Avro schema: ${told}`, { issues })
}

const shownMax = 200

function misfit(part: unknown, expected: AvroType): string {
  const schema = JSON.stringify(expected.schema())
  const shown = schema.length > shownMax ? `${schema.slice(0, shownMax)}…` : schema
  return `must be ${shown}, and no more than that, not ${Array.isArray(part) ? 'an array' : typeof part}`
}

function unknownWriter(dataSchema: string): PosthasteError {
  return new PosthasteError('BODY_MALFORMED', `the body was written with a schema that is not known: ${dataSchema}`, {
    remedy: 'Give the codec that schema as one of its writers, then redrive.',
  })
}

function failure(code: ErrorCode, what: string, cause: unknown): PosthasteError {
  if (PosthasteError.is(cause)) return cause
  return new PosthasteError(code, `${what}: ${(cause as Error).message}`, { cause })
}
