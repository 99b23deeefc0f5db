import { type BlobStore, type EngineCapabilities, type OutgoingRecord, PosthasteError } from '@posthaste/contracts'
import { durationOption, integerOption, type OptionSpec, readOptions, required } from '../../pipeline/options.ts'
import type { TimerWheel } from '../../pipeline/timer-wheel.ts'

/** Where bodies go that are too big to travel. */
export interface ClaimCheckOptions {
  readonly store: BlobStore
  /** Bodies of more bytes than this go to the store, or more than the engine takes if that is less. 1,024 or more. Default: 262,144. */
  readonly overBytes?: number | undefined
  /** Milliseconds that the store may take for one body, 1 to 2^31-1. Default: 30,000. */
  readonly timeoutMs?: number | undefined
}

interface Settings {
  readonly store: BlobStore
  readonly overBytes: number
  readonly timeoutMs: number
}

const storeOption: OptionSpec<BlobStore | undefined> = {
  fallback: undefined,
  expects: 'a store of blobs: put and get',
  accepts: (value) => {
    const { put, get } = (value ?? {}) as Partial<BlobStore>
    return typeof put === 'function' && typeof get === 'function'
  },
}

const spec = {
  options: {
    store: required(storeOption),
    overBytes: integerOption(256 * 1024, { min: 1024, max: Number.MAX_SAFE_INTEGER }),
    timeoutMs: durationOption(30_000, { min: 1 }),
  },
}

const refLengthMax = 1_024
const nothing = new Uint8Array(0)

/**
 * Leaves big bodies in a store and has the message carry a reference (`dataref`) and the SHA-256 of the bytes (`datahash`),
 * so that what the store gives back is never handled unless it is what was left there. Without a store it only refuses.
 *
 * @see https://www.enterpriseintegrationpatterns.com/patterns/messaging/StoreInLibrary.html
 * @see https://github.com/cloudevents/spec/blob/main/cloudevents/extensions/dataref.md
 */
export class ClaimCheck {
  readonly #settings: Settings | undefined
  readonly #timers: TimerWheel

  /** @throws CONFIG_INVALID with an issue per mistake */
  constructor(options: ClaimCheckOptions | undefined, timers: TimerWheel) {
    this.#settings = options === undefined ? undefined : (readOptions('claimCheck', options, spec) as Settings)
    this.#timers = timers
  }

  /** Whether a body of so many bytes goes to the store. Hot path. */
  takes(bytes: number, { bodyBytesMax }: EngineCapabilities): boolean {
    const settings = this.#settings
    return settings !== undefined && (bytes > settings.overBytes || bytes > bodyBytesMax)
  }

  /**
   * Leaves a record's body in the store.
   * @returns the record that travels in its place
   * @throws UNAVAILABLE, or what the store fails with
   */
  async leave(record: OutgoingRecord): Promise<OutgoingRecord> {
    const { id, channel, body, headers } = record
    const settings = this.#settings
    if (settings === undefined) throw storeMissing(channel)
    const what = `${channel}: the store ${settings.store.name} could not keep the body of message ${id}`
    const datahash = await sha256(body)
    // Contracts share ids, and an id may come again with other data: a store that goes by names must replace no body.
    const dataref = await this.#inTime(() => settings.store.put(`${id}-${datahash}`, body), what)
    if (typeof dataref !== 'string' || dataref.length === 0 || dataref.length > refLengthMax)
      throw new PosthasteError('INTERNAL', `${what}: its reference is no URI of at most ${refLengthMax} characters`)
    return { ...record, headers: { ...headers, dataref, datahash }, body: nothing }
  }

  /**
   * The body of a record that carries a reference.
   *
   * @throws FAILED_PRECONDITION without a store; NOT_FOUND when the store no longer has it; BODY_MALFORMED when it has other
   *   bytes; UNAVAILABLE when it fails or takes too long
   */
  async fetch({ id, channel, headers }: OutgoingRecord): Promise<Uint8Array> {
    const { dataref = '', datahash } = headers
    const settings = this.#settings
    if (settings === undefined) throw storeMissing(channel)
    const what = `${channel}: the store ${settings.store.name} could not give the body of message ${id}`
    const body = await this.#inTime(() => settings.store.get(dataref), what)
    if (!(body instanceof Uint8Array)) throw new PosthasteError('INTERNAL', `${what}: what it gave is no bytes`)
    if (datahash === undefined || (await sha256(body)) === datahash) return body
    throw new PosthasteError('BODY_MALFORMED', `${what}: it has other bytes under its reference`, {
      remedy: 'Restore the bytes in the store, then redrive.',
    })
  }

  /** What the store throws keeps its code; anything else, silence included, may pass. */
  #inTime<T>(work: () => Promise<T>, what: string): Promise<T> {
    const timeoutMs = this.#settings?.timeoutMs ?? 0
    return new Promise((resolve, reject) => {
      const timer = this.#timers.set(timeoutMs, () => {
        reject(new PosthasteError('UNAVAILABLE', `${what} within ${timeoutMs} ms`))
      })
      const settle = (end: () => void): void => {
        timer.cancel()
        end()
      }
      // A store that throws instead of rejecting is heard, too.
      new Promise<T>((done) => done(work())).then(
        (value) => settle(() => resolve(value)),
        (thrown) => settle(() => reject(PosthasteError.from(thrown, 'UNAVAILABLE', what))),
      )
    })
  }
}

function storeMissing(channel: string): PosthasteError {
  return new PosthasteError('FAILED_PRECONDITION', `${channel}: the body stands in a store, and there is none here`, {
    remedy: 'Give the application the claimCheck with the store that the publisher uses.',
  })
}

async function sha256(bytes: Uint8Array): Promise<string> {
  // Web Crypto refuses views of shared memory, which bodies never are.
  const digest = await crypto.subtle.digest('SHA-256', bytes as Uint8Array<ArrayBuffer>)
  return Array.from(new Uint8Array(digest), (byte) => byte.toString(16).padStart(2, '0')).join('')
}
