import type { Codec, Issue, MethodContract } from '@posthaste/contracts'
import { json } from './json.ts'

/** How the messages of one method are written, in one content type. */
export interface Format {
  readonly contentType: string
  readonly input: Codec
  readonly output: Codec
}

/**
 * The formats of a method, the preferred first: those of its contract, the side's own codecs, JSON.
 * @param codecs for the methods of every contract
 */
export function formatsOf(contract: MethodContract, codecs: readonly Codec[]): readonly Format[] {
  const formats = new Map<string, Format>()
  for (const { input, output } of contract.formats ?? [])
    add(formats, { contentType: input.contentType, input, output })
  for (const codec of [...codecs, json]) add(formats, { contentType: codec.contentType, input: codec, output: codec })
  return [...formats.values()]
}

function add(formats: Map<string, Format>, format: Format): void {
  if (!formats.has(format.contentType)) formats.set(format.contentType, format)
}

/** The content types of some methods together, JSON first, each once. */
export function contentTypesOf(methods: Iterable<readonly Format[]>): readonly string[] {
  const types = new Set([json.contentType])
  for (const formats of methods) for (const { contentType } of formats) types.add(contentType)
  return [...types]
}

const mediaType = /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/

/** What is wrong with the option `codecs` of either side. */
export function codecIssues(codecs: unknown): readonly Issue[] {
  if (codecs === undefined) return []
  if (!Array.isArray(codecs)) return [{ path: 'codecs', message: 'must be an array of codecs' }]
  const seen = new Set<string>()
  return codecs.flatMap((codec: Partial<Codec> | null | undefined, at): Issue[] => {
    const message = codecMistake(codec, seen)
    return message === undefined ? [] : [{ path: `codecs.${at}`, message }]
  })
}

function codecMistake(codec: Partial<Codec> | null | undefined, seen: Set<string>): string | undefined {
  const { contentType, encode, decode } = codec ?? {}
  if (typeof contentType !== 'string' || typeof encode !== 'function' || typeof decode !== 'function')
    return 'must be a codec: contentType, encode and decode'
  if (!mediaType.test(contentType))
    return `must have a media type in lower case without parameters, not '${contentType}'`
  if (contentType === json.contentType) return 'is JSON, which is there already'
  if (seen.has(contentType)) return `is for ${contentType}, as another one is`
  seen.add(contentType)
  return undefined
}
