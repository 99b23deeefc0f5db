import { type Headers, type OutgoingRecord, PosthasteError, validateEnvelope } from '@posthaste/contracts'
import { isoTime } from 'posthaste/pipeline'

/** What the command line says about every message. */
export interface Said {
  readonly key: string | undefined
  readonly id: string | undefined
  /** `name=value` each. */
  readonly header: readonly string[]
  readonly contentType: string | undefined
  readonly dueAtMs: number | undefined
  readonly expiresAtMs: number | undefined
  readonly priority: number | undefined
}

/** What messages are made with. */
export interface ComposerInit {
  readonly channel: string
  readonly said: Said
  readonly nowMs: number
  readonly newId: () => string
}

/** Turns data, or whole messages, into records. */
export interface Composer {
  /** @throws BODY_MALFORMED ENVELOPE_INVALID */
  data(body: Uint8Array | string): OutgoingRecord
  /** @throws BODY_MALFORMED ENVELOPE_INVALID */
  record(line: string): OutgoingRecord
}

const source = '/posthaste-cli'
const jsonType = 'application/json'

/** Makes what applications make; what is said on the command line counts more than what a message says itself. */
export function composer({ channel, said, nowMs, newId }: ComposerInit): Composer {
  const { key, id, contentType = jsonType, dueAtMs, expiresAtMs, priority } = said
  const own = headersIn(said.header)
  const common = { type: channel, source, time: isoTime(nowMs), datacontenttype: contentType, ...own }

  const make = (given: { id: string | undefined; key: string | undefined; headers: Headers; body: Uint8Array }) => {
    const record: OutgoingRecord = {
      id: id ?? given.id ?? newId(),
      channel,
      key: key ?? given.key,
      headers: given.headers,
      body: given.body,
      dueAtMs,
      expiresAtMs,
      priority,
    }
    validateEnvelope({ specversion: '1.0', ...record.headers, id: record.id })
    return record
  }

  return {
    data(given) {
      const body = Buffer.from(given)
      if (contentType === jsonType) parsed(body.toString())
      return make({ id: undefined, key: undefined, headers: common, body })
    },
    record(line) {
      const { id: ownId, key: ownKey, headers, body } = recordIn(line)
      return make({ id: ownId, key: ownKey, headers: { ...common, ...headers, type: channel, ...own }, body })
    },
  }
}

/** What stands in the header of a record, and what has a field of its own. */
const fields = new Set(['id', 'specversion', 'partitionkey', 'deliverytime', 'expirytime', 'priority', 'data'])

function headersIn(given: readonly string[]): Headers {
  const headers: Record<string, string> = {}
  for (const pair of given) {
    const [, name, value] = /^([a-z0-9]{1,20})=(.*)$/s.exec(pair) ?? []
    if (name === undefined || value === undefined || fields.has(name)) {
      throw new PosthasteError('INVALID_ARGUMENT', `--header must be name=value, not '${pair}'`, {
        remedy: 'Name it by 1 to 20 of a-z and 0-9; id, key, times and priority have options of their own.',
      })
    }
    headers[name] = value
  }
  return headers
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown
  } catch (cause) {
    throw new PosthasteError('BODY_MALFORMED', `the data is not JSON: ${(cause as Error).message}`, {
      remedy: 'Quote it for the shell, as in \'{"a":1}\', or say with --content-type what it is.',
      cause,
    })
  }
}

function recordIn(line: string) {
  const { id, key, headers, data, dataBase64 } = fieldsOf(parsed(line))
  const type = headers.datacontenttype
  if (dataBase64 !== undefined) return { id, key, headers, body: Buffer.from(dataBase64, 'base64') }
  const isText = typeof data === 'string' && type?.startsWith('text/') === true
  const body = data === undefined ? new Uint8Array() : Buffer.from(isText ? data : JSON.stringify(data))
  return { id, key, headers, body }
}

function fieldsOf(value: unknown) {
  const {
    id,
    key,
    headers = {},
    data,
    dataBase64,
  } = (typeof value === 'object' ? (value ?? {}) : {}) as Record<string, unknown>
  const isText = (each: unknown): each is string | undefined => each === undefined || typeof each === 'string'
  if (
    !isText(id) ||
    !isText(key) ||
    !isText(dataBase64) ||
    !isHeaders(headers) ||
    (id === undefined && data === undefined)
  ) {
    throw new PosthasteError('BODY_MALFORMED', 'the line is no message as tail --json prints it', {
      remedy: 'Use --ndjson where a line is only the data.',
    })
  }
  return { id, key, headers, data, dataBase64 }
}

function isHeaders(value: unknown): value is Headers {
  return typeof value === 'object' && value !== null && Object.values(value).every((each) => typeof each === 'string')
}
