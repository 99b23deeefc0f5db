import { create, type DescMessage, fromBinary, toBinary } from '@bufbuild/protobuf'
import { type Codec, type Issue, PosthasteError } from '@posthaste/contracts'
import { type ProtobufOptions, readOptions } from './options.ts'
import { depthMax, shapeOf } from './shape.ts'

export type { ProtobufContentType, ProtobufOptions } from './options.ts'

/**
 * Protocol Buffers as the format of one contract's messages. Data is what `create` of `@bufbuild/protobuf` takes, as plain
 * objects: names in camel case, 64-bit integers as `bigint`, bytes as `Uint8Array`, enums as numbers, a oneof as
 * `{ case, value }`, maps as objects, Struct as JSON, wrappers as what they wrap. Numbers of the fields come from the schema.
 *
 * Reading: fields without presence (proto3 without `optional`) have their zero value, lists and maps are empty, a oneof that
 * is not set is `{ case: undefined }`, all other fields that are not set are absent. Fields that the schema does not know
 * are dropped, as any data schema would do next, so a message of a newer version is read by what both know.
 *
 * Writing: properties that the message does not have are refused, since they would silently be lost.
 *
 * @param schema a generated `…Schema` of protoc-gen-es, or a descriptor from a registry
 * @throws CONFIG_INVALID listing every mistake. The codec throws PAYLOAD_INVALID with an issue per field that does not fit
 *   the message; BODY_MALFORMED for bytes that are no such message, or one nested deeper than 100 messages
 * @see https://protobuf.dev/programming-guides/encoding/
 */
export function protobuf(schema: DescMessage, options: ProtobufOptions = {}): Codec {
  const { contentType } = readOptions(schema, options)
  const shape = shapeOf(schema)

  return Object.freeze<Codec>({
    contentType,
    encode(value) {
      const issues: Issue[] = []
      shape.check(value, { path: '', depth: depthMax, issues })
      if (issues.length > 0) throw misfit(schema, issues)
      try {
        return toBinary(schema, create(schema, value as Record<string, unknown>))
      } catch (cause) {
        throw PosthasteError.from(cause, 'PAYLOAD_INVALID', `the data cannot be written as ${schema.typeName}`)
      }
    },
    decode(body) {
      try {
        return shape.plain(fromBinary(schema, body, { readUnknownFields: false, recursionLimit: depthMax }))
      } catch (cause) {
        throw PosthasteError.from(cause, 'BODY_MALFORMED', `the body is not ${schema.typeName} in protobuf`)
      }
    },
  })
}

const shownMax = 5

function misfit(schema: DescMessage, issues: readonly Issue[]): PosthasteError {
  const shown = issues.slice(0, shownMax).map(({ path, message }) => (path === '' ? message : `${path} ${message}`))
  const more = issues.length > shownMax ? ` and ${issues.length - shownMax} more` : ''
  return new PosthasteError('PAYLOAD_INVALID', `the data does not fit ${schema.typeName}: ${shown.join('; ')}${more}`, {
    issues,
  })
}
