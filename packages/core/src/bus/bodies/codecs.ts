import { type Codec, type Issue, PosthasteError } from '@posthaste/contracts'
import { refuseOptions } from '../../pipeline/options.ts'
import { jsonCodec } from './json.ts'

/** What reads a body, by its content type. */
export class Codecs {
  readonly #more: ReadonlyMap<string, Codec>

  /**
   * @param more beside JSON, and beside the codecs that contracts bring
   * @throws CONFIG_INVALID with an issue per mistake
   */
  constructor(more: readonly Codec[] = []) {
    refuseOptions(codecMistakes(more))
    this.#more = new Map(more.map((codec) => [codec.contentType, codec]))
  }

  /**
   * The codec for a content type: the contract's own, JSON, or one of the bus's. Parameters such as `charset` do not
   * matter, and `+json` counts as JSON.
   * @throws BODY_MALFORMED when none reads it
   */
  find(contentType: string, own: Codec | undefined): Codec {
    const mediaType = contentType.split(';', 1)[0]!.trim().toLowerCase()
    if (own?.contentType === mediaType) return own
    if (mediaType === jsonCodec.contentType || mediaType.endsWith('+json')) return jsonCodec
    const codec = this.#more.get(mediaType)
    if (codec !== undefined) return codec
    throw new PosthasteError('BODY_MALFORMED', `no codec reads the content type '${contentType}'`, {
      remedy: 'Give the codec of this content type to the contract, or to the application as one of its codecs.',
    })
  }
}

const mediaTypePattern = /^[a-z0-9!#$&^_.+-]+\/[a-z0-9!#$&^_.+-]+$/

function codecMistakes(codecs: unknown): Issue[] {
  if (!Array.isArray(codecs)) return [{ path: 'codecs', message: 'must be an array of codecs' }]
  const types = codecs.map((codec: Partial<Codec> | null | undefined) => codec?.contentType)
  return codecs.flatMap((codec: Partial<Codec> | null | undefined, at) => {
    const message = codecMistake(codec, types.indexOf(codec?.contentType) < at)
    return message === undefined ? [] : [{ path: `codecs.${at}`, message }]
  })
}

function codecMistake(codec: Partial<Codec> | null | undefined, again: boolean): string | undefined {
  const { contentType, encode, decode } = codec ?? {}
  if (typeof contentType !== 'string' || typeof encode !== 'function' || typeof decode !== 'function')
    return 'must be a codec: contentType, encode and decode'
  if (!mediaTypePattern.test(contentType))
    return `must have a media type in lower case without parameters, not '${contentType}'`
  if (contentType === jsonCodec.contentType || contentType.endsWith('+json'))
    return 'reads JSON, which is read already; give it to a contract'
  return again ? `reads ${contentType}, as another one does` : undefined
}
