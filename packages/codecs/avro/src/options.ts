import { type Issue, PosthasteError } from '@posthaste/contracts'
import { type AvroSchema, type AvroType, dataSchemaOf, typeOf } from './types.ts'

/** Names that Avro's binary encoding goes by; none is registered. */
export type AvroContentType = 'application/avro' | 'avro/binary'

/** Options of the codec. */
export interface AvroOptions {
  /**
   * Further schemas that messages were, or will be, written with: a list where their `dataschema` is the fingerprint that
   * this codec gives, an object by `dataschema` where it is another URI, of a schema registry for instance.
   */
  readonly writers?: readonly AvroSchema[] | Readonly<Record<string, AvroSchema>> | undefined
  /** The `dataschema` of what it writes. Default: the SHA-256 fingerprint of the schema as a URI, `ni:///sha-256;…`. */
  readonly dataSchema?: string | undefined
  /** What its bodies are marked as, and the only mark it reads. Default: `application/avro`. */
  readonly contentType?: AvroContentType | undefined
}

/** Options that were read: schemas are types. */
export interface AvroSettings {
  readonly type: AvroType
  readonly dataSchema: string
  readonly contentType: AvroContentType
  /** Types of the writers by `dataschema`, the codec's own included. */
  readonly writers: ReadonlyMap<string, AvroType>
}

const contentTypes = ['application/avro', 'avro/binary'] as const
const uriPattern = /^[A-Za-z][A-Za-z0-9+.-]*:[^\s"<>\\^`{|}]+$/
const uriLengthMax = 1_024

/** @throws CONFIG_INVALID with an issue per mistake */
export function readOptions(schema: AvroSchema, options: AvroOptions): AvroSettings {
  const { contentType = contentTypes[0], dataSchema, writers = [], ...unknown } = options
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  const parsed = (path: string, given: AvroSchema): AvroType | undefined => {
    try {
      return typeOf(given)
    } catch (cause) {
      issues.push({ path, message: `is no Avro schema: ${(cause as Error).message}` })
      return undefined
    }
  }
  if (!contentTypes.includes(contentType))
    issues.push({ path: 'contentType', message: `must be one of ${contentTypes.join(', ')}` })
  const type = parsed('schema', schema)
  const own = dataSchema ?? (type === undefined ? undefined : dataSchemaOf(type))
  if (own !== undefined && !isUri(own)) issues.push({ path: 'dataSchema', message: 'must be an absolute URI' })

  const types = new Map<string, AvroType>()
  for (const [name, given] of Object.entries(writers)) {
    const writer = parsed(`writers.${name}`, given)
    if (!Array.isArray(writers) && !isUri(name))
      issues.push({ path: `writers.${name}`, message: 'must stand under an absolute URI' })
    else if (writer !== undefined) types.set(Array.isArray(writers) ? dataSchemaOf(writer) : name, writer)
  }
  if (issues.length > 0 || type === undefined || own === undefined) throw refusal(issues)
  return { type, dataSchema: own, contentType, writers: types.set(own, type) }
}

function isUri(text: unknown): boolean {
  return typeof text === 'string' && text.length <= uriLengthMax && uriPattern.test(text)
}

/** The error that lists the mistakes. */
export function refusal(issues: readonly Issue[]): PosthasteError {
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  return new PosthasteError('CONFIG_INVALID', `avro(): ${told}`, { issues })
}
