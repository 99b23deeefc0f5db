import { type Issue, PosthasteError } from '@posthaste/contracts'

/** Names that MessagePack goes by: the registered one, and those that were in use before. */
export type MsgpackContentType = 'application/vnd.msgpack' | 'application/msgpack' | 'application/x-msgpack'

/** Options of the codec. */
export interface MsgpackOptions {
  /** What its bodies are marked as, and the only mark it reads; a codec per name reads several. Default: `application/vnd.msgpack`. */
  readonly contentType?: MsgpackContentType | undefined
  /** How deep arrays and maps may be nested, 1 to 1,000. Default: 128. */
  readonly depthMax?: number | undefined
}

/** Options with their defaults. */
export type MsgpackSettings = { readonly [K in keyof MsgpackOptions]-?: NonNullable<MsgpackOptions[K]> }

const contentTypes = ['application/vnd.msgpack', 'application/msgpack', 'application/x-msgpack'] as const
const depthLimit = 1_000

/** @throws CONFIG_INVALID with an issue per mistake */
export function readOptions(options: MsgpackOptions): MsgpackSettings {
  const { contentType = contentTypes[0], depthMax = 128, ...unknown } = options
  const issues: Issue[] = Object.keys(unknown).map((path) => ({ path, message: 'is not an option' }))
  if (!contentTypes.includes(contentType))
    issues.push({ path: 'contentType', message: `must be one of ${contentTypes.join(', ')}` })
  if (!Number.isInteger(depthMax) || depthMax < 1 || depthMax > depthLimit)
    issues.push({ path: 'depthMax', message: `must be a whole number from 1 to ${depthLimit}` })
  if (issues.length === 0) return { contentType, depthMax }
  const told = issues.map(({ path, message }) => `${path} ${message}`).join('; ')
  throw new PosthasteError('CONFIG_INVALID', `msgpack(): ${told}`, { issues })
}
