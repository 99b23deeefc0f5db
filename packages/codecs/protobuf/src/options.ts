import { type Issue, PosthasteError } from '@posthaste/contracts'

/** Names that protobuf goes by: the registered one, and those that were in use before. */
export type ProtobufContentType = 'application/protobuf' | 'application/x-protobuf' | 'application/vnd.google.protobuf'

/** Options of the codec. */
export interface ProtobufOptions {
  /** What its bodies are marked as, and the only mark it reads. Default: `application/protobuf`. */
  readonly contentType?: ProtobufContentType | undefined
}

/** Options with their defaults. */
export type ProtobufSettings = { readonly [K in keyof ProtobufOptions]-?: NonNullable<ProtobufOptions[K]> }

const contentTypes = ['application/protobuf', 'application/x-protobuf', 'application/vnd.google.protobuf'] as const

/** @throws CONFIG_INVALID with an issue per mistake */
export function readOptions(schema: unknown, options: ProtobufOptions): ProtobufSettings {
  const { contentType = contentTypes[0], ...unknown } = options
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  if ((schema as { readonly kind?: unknown } | null | undefined)?.kind !== 'message')
    issues.push({ path: 'schema', message: 'must be the descriptor of a message, as protoc-gen-es (v2) generates it' })
  if (!contentTypes.includes(contentType))
    issues.push({ path: 'contentType', message: `must be one of ${contentTypes.join(', ')}` })
  if (issues.length === 0) return { contentType }
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `protobuf(): ${told}`, { issues })
}
