import { PosthasteError } from '@posthaste/contracts'
import {
  frameBytesLeast,
  frameBytesLimit,
  helloBytesMax,
  helloDefaults,
  version,
  windowLeast,
  windowMax,
} from './constants.ts'
import { readObject } from './text.ts'
import { malformed } from './violation.ts'

/** What a client says of itself, and what it takes. */
export interface ClientHello {
  /** Versions of the protocol that it speaks. */
  readonly versions: readonly number[]
  /** Name and version of the implementation, for logs. */
  readonly agent: string
  /** Credentials, for the server to judge. */
  readonly token?: string | undefined
  readonly frameBytesMax: number
  readonly metadataBytesMax: number
  readonly streamWindow: number
  readonly connectionWindow: number
  /** Compressions it can, best first. */
  readonly compression: readonly string[]
}

/** What a server says of itself, what it chose, and what it takes. */
export interface ServerHello {
  readonly version: number
  readonly agent: string
  /** Content types; streams name one by its index. */
  readonly codecs: readonly string[]
  /** The compression both sides use; undefined for none. */
  readonly compression?: string | undefined
  /** Size from which a message is worth compressing. */
  readonly compressAboveBytes?: number | undefined
  readonly frameBytesMax: number
  readonly messageBytesMax: number
  readonly metadataBytesMax: number
  /** Numbers of methods it remembers: 0 to `methodsMax` - 1. */
  readonly methodsMax: number
  readonly streamWindow: number
  readonly connectionWindow: number
  /** Streams that may be open at once. */
  readonly streamsMax: number
  /** Silence after which either side asks whether the other is there. */
  readonly keepaliveMs: number
}

const ownNumbers = {
  frameBytesMax: [frameBytesLeast, frameBytesLimit],
  metadataBytesMax: [0, frameBytesLimit],
  streamWindow: [windowLeast, windowMax],
  connectionWindow: [windowLeast, windowMax],
} as const
const serverNumbers = {
  ...ownNumbers,
  messageBytesMax: [1, windowMax],
  methodsMax: [0, 0xffff],
  streamsMax: [1, windowMax],
  keepaliveMs: [1, windowMax],
} as const

const textsMax = 255
const textLengthMax = 255
const tokenLengthMax = helloBytesMax

/**
 * The payload of a client's HELLO.
 * @throws CONFIG_INVALID when it is larger than 16 KiB
 */
export function encodeClientHello(hello: ClientHello): Buffer {
  return encode(hello)
}

/**
 * The payload of a server's HELLO.
 * @throws CONFIG_INVALID when it is larger than 16 KiB
 */
export function encodeServerHello(hello: ServerHello): Buffer {
  return encode(hello)
}

function encode(hello: ClientHello | ServerHello): Buffer {
  const payload = Buffer.from(JSON.stringify(hello), 'utf8')
  if (payload.length <= helloBytesMax) return payload
  throw new PosthasteError(
    'CONFIG_INVALID',
    `link: HELLO takes ${payload.length} bytes, at most ${helloBytesMax} are allowed`,
    {
      remedy: 'Use a shorter token, or fewer codecs.',
    },
  )
}

/**
 * A client's HELLO. Members it does not have stand at their defaults, members that version 1 does not know are ignored.
 * @throws BODY_MALFORMED when it is no JSON object, or a member has a value it cannot have; all of them are named
 * @throws UNIMPLEMENTED when the client does not speak version 1
 */
export function readClientHello(payload: Buffer, start = 0, end = payload.length): ClientHello {
  const members = new Members(readObject(payload, start, end))
  const versions = members.versions()
  const hello: ClientHello = {
    versions,
    agent: members.text('agent', textLengthMax) ?? '',
    token: members.text('token', tokenLengthMax),
    ...members.numbers(ownNumbers),
    compression: members.texts('compression') ?? [],
  }
  members.check('HELLO of the client')
  if (!versions.includes(version)) throw unknownVersion(`the client speaks ${versions.join(', ')}`)
  return hello
}

/**
 * A server's HELLO. Members it does not have stand at their defaults, members that version 1 does not know are ignored.
 * @throws BODY_MALFORMED when it is no JSON object, or a member has a value it cannot have; all of them are named
 * @throws UNIMPLEMENTED when the server chose another version than 1
 */
export function readServerHello(payload: Buffer, start = 0, end = payload.length): ServerHello {
  const members = new Members(readObject(payload, start, end))
  const chosen = members.number('version', [0, windowMax])
  const hello: ServerHello = {
    version: chosen ?? version,
    agent: members.text('agent', textLengthMax) ?? '',
    codecs: members.texts('codecs') ?? members.missing('codecs', []),
    compression: members.text('compression', textLengthMax),
    compressAboveBytes: members.number('compressAboveBytes', [0, windowMax]),
    ...members.numbers(serverNumbers),
  }
  if (chosen === undefined) members.missing('version', undefined)
  members.check('HELLO of the server')
  if (hello.version !== version) throw unknownVersion(`the server chose ${hello.version}`)
  return hello
}

function unknownVersion(what: string): PosthasteError {
  return new PosthasteError('UNIMPLEMENTED', `link: ${what}, this side speaks version ${version} only`, {
    remedy: 'Bring both sides to versions that share one of the protocol.',
  })
}

type Bounds = readonly [least: number, most: number]

/** The members of a HELLO, and what is wrong with them. */
class Members {
  readonly #members: Readonly<Record<string, unknown>>
  readonly #issues: string[] = []

  constructor(members: Readonly<Record<string, unknown>>) {
    this.#members = members
  }

  text(name: string, lengthMax: number): string | undefined {
    const value = this.#own(name)
    if (value === undefined) return undefined
    if (typeof value === 'string' && value.length <= lengthMax) return value
    return this.#wrong(`${name} is no text of at most ${lengthMax} characters`, undefined)
  }

  texts(name: string): readonly string[] | undefined {
    const value = this.#own(name)
    if (value === undefined) return undefined
    const isTexts = Array.isArray(value) && value.length <= textsMax && value.every(isShortText)
    return isTexts ? (value as string[]) : this.#wrong(`${name} is no list of at most ${textsMax} short texts`, [])
  }

  versions(): readonly number[] {
    const value = this.#own('versions')
    const isVersions = Array.isArray(value) && value.length <= textsMax && value.every(Number.isSafeInteger)
    return isVersions ? (value as number[]) : this.#wrong('versions is no list of whole numbers', [])
  }

  number(name: string, [least, most]: Bounds): number | undefined {
    const value = this.#own(name)
    if (value === undefined) return undefined
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number
    return this.#wrong(`${name} is no whole number from ${least} to ${most}`, undefined)
  }

  numbers<N extends keyof typeof helloDefaults>(bounds: Readonly<Record<N, Bounds>>): Record<N, number> {
    const numbers = {} as Record<N, number>
    for (const name of Object.keys(bounds) as N[])
      numbers[name] = this.number(name, bounds[name]) ?? helloDefaults[name]
    return numbers
  }

  missing<T>(name: string, instead: T): T {
    return this.#wrong(`${name} is missing`, instead)
  }

  check(what: string): void {
    if (this.#issues.length > 0) throw malformed(`${what}: ${this.#issues.join('; ')}`)
  }

  #own(name: string): unknown {
    return Object.hasOwn(this.#members, name) ? this.#members[name] : undefined
  }

  #wrong<T>(issue: string, instead: T): T {
    this.#issues.push(issue)
    return instead
  }
}

function isShortText(value: unknown): boolean {
  return typeof value === 'string' && value.length > 0 && value.length <= textLengthMax
}
