import { type CalledMethod, isStream, PosthasteError } from '@posthaste/contracts'
import type { LinkDialer, ServerTerms } from '../connection/options.ts'
import { compressedMessage } from '../connection/types.ts'
import { compressed, plain } from './compression.ts'
import { type Format, formatsOf } from './formats.ts'

/** What all calls over one link have in common. */
export interface CalleeHost {
  readonly dialer: LinkDialer
  /** Largest message taken, decompressed. */
  readonly messageBytesMax: number
}

/** A method that is called, with what is decided about it once, or once for each server. */
export class Callee {
  readonly target: string
  readonly host: CalleeHost
  readonly takesStream: boolean
  readonly answersStream: boolean
  readonly #formats: readonly Format[]
  #terms: ServerTerms | undefined
  #format: Format

  constructor({ service, method, contract }: CalledMethod, codecs: Parameters<typeof formatsOf>[1], host: CalleeHost) {
    this.target = `${service}/${method}`
    this.host = host
    this.takesStream = isStream(contract.input)
    this.answersStream = isStream(contract.output)
    this.#formats = formatsOf(contract, codecs)
    this.#format = this.#formats.at(-1) as Format
  }

  /** Whether the server has to be heard first: any other format than JSON may be unknown to it. */
  get mustAsk(): boolean {
    return this.#formats.length > 1 && this.host.dialer.terms === undefined
  }

  /** The preferred one of the formats that both sides have; JSON they always have. */
  get format(): Format {
    const { terms } = this.host.dialer
    if (terms !== this.#terms && terms !== undefined) {
      this.#terms = terms
      const offered = new Set(terms.codecs)
      this.#format =
        this.#formats.find(({ contentType }) => offered.has(contentType)) ?? (this.#formats.at(-1) as Format)
    }
    return this.#format
  }

  /**
   * A value of the input as a message.
   * @throws PAYLOAD_INVALID when it cannot be written
   */
  write(format: Format, value: unknown): OutgoingMessage {
    const body = format.input.encode(value)
    const { terms } = this.host.dialer
    if (terms === undefined) return { body, flags: 0 }
    if (body.length > terms.messageBytesMax) throw tooLarge(this.target, body.length, terms.messageBytesMax)
    if (terms.compression === undefined || body.length < terms.compressAboveBytes) return { body, flags: 0 }
    const smaller = compressed(body)
    return smaller === undefined ? { body, flags: 0 } : { body: smaller, flags: compressedMessage }
  }

  /** @throws INTERNAL when it cannot be read: the callee's mistake, which the caller can do nothing about */
  read(format: Format, body: Uint8Array, flags: number): unknown {
    try {
      return format.output.decode(plain(body, flags, this.host.messageBytesMax))
    } catch (cause) {
      throw new PosthasteError('INTERNAL', `the answer of '${this.target}' cannot be read`, { cause })
    }
  }
}

/** A message on its way out. */
export interface OutgoingMessage {
  readonly body: Uint8Array
  readonly flags: number
}

/** Nothing was sent, and nothing would come of sending it again. */
function tooLarge(target: string, bytes: number, messageBytesMax: number): PosthasteError {
  return new PosthasteError('BODY_TOO_LARGE', `the input of '${target}' has ${bytes} bytes of ${messageBytesMax}`, {
    details: { messageBytesMax },
    notSent: true,
  })
}

/** Milliseconds as they travel: whole, and none where there is no deadline. */
export function wireTimeout(timeoutMs: number | undefined): number | undefined {
  return timeoutMs === undefined ? undefined : Math.min(Math.ceil(timeoutMs), timeoutMsMax)
}

/** One below what stands for no deadline. */
const timeoutMsMax = 0xffff_fffe
