import { type BlobStore, PosthasteError } from '@posthaste/contracts'
import { Layout, nameIn, readWhole, refOf } from './layout.ts'
import { type FileStoreOptions, type FileStoreSettings, readExamineMax, readOptions } from './options.ts'
import { Sweeping, type SweepOptions, type SweepReport } from './sweeping.ts'

export type { FileStoreOptions } from './options.ts'
export type { SweepOptions, SweepReport } from './sweeping.ts'

/** A store of big bodies in a directory. */
export interface FileStore extends BlobStore {
  /**
   * Removes a portion of what is older than `keepForMs`, and what crashes left half written an hour or more ago. Nothing is
   * removed otherwise: call it from time to time, in one process or in several, until `finished`. Calls of one store run one
   * after the other; bodies are put and got meanwhile.
   *
   * @throws CONFIG_INVALID for wrong options; UNAVAILABLE when the directory cannot be read or written
   */
  sweep(options?: SweepOptions): Promise<SweepReport>
}

/**
 * Keeps big bodies as files in a directory, for the claim check of one machine, or of several on a file system that they
 * share. A body is on disk under its name, directory included, before its reference is given out. Each `put` makes a file of
 * its own, whatever the id: none is ever replaced. References name no path, so none leads out of the directory.
 *
 * @throws CONFIG_INVALID listing every mistake
 */
export function fileStore(options: FileStoreOptions): FileStore {
  return new DirectoryStore(readOptions(options))
}

class DirectoryStore implements FileStore {
  readonly name: string
  readonly #layout: Layout
  readonly #bytesMax: number
  readonly #sweeping: Sweeping
  #swept: Promise<unknown> = Promise.resolve()

  constructor({ dir, keepForMs, bytesMax }: FileStoreSettings) {
    this.name = `file store ${dir}`
    this.#layout = new Layout(dir)
    this.#bytesMax = bytesMax
    this.#sweeping = new Sweeping(this.#layout, keepForMs)
  }

  async put(id: string, bytes: Uint8Array): Promise<string> {
    const what = `${this.name}: the body of message ${id}`
    if (bytes.length > this.#bytesMax) throw tooLarge(`${what} has ${bytes.length} bytes, more`, this.#bytesMax)
    try {
      return refOf(await this.#layout.add(bytes))
    } catch (cause) {
      throw unavailable(`${what} could not be written`, cause)
    }
  }

  async get(ref: string): Promise<Uint8Array> {
    const name = nameIn(ref)
    if (name === undefined)
      throw new PosthasteError('NOT_FOUND', `${this.name}: ${shown(ref)} is none of its references`)
    const bytes = await readWhole(this.#layout.body(name), this.#bytesMax).catch((cause) => this.#missing(ref, cause))
    if (bytes === 'too large') throw tooLarge(`${this.name}: ${ref} has more bytes`, this.#bytesMax)
    return bytes
  }

  async sweep(options: SweepOptions = {}): Promise<SweepReport> {
    const examineMax = readExamineMax(options)
    const portion = this.#swept.then(() => this.#sweeping.portion(examineMax))
    this.#swept = portion.catch(() => {})
    return portion.catch((cause) => {
      throw unavailable(`${this.name}: it could not be swept`, cause)
    })
  }

  /** A body that is not there will not come; a directory that is not there may be mounted again. */
  async #missing(ref: string, cause: unknown): Promise<never> {
    const isGone = (cause as NodeJS.ErrnoException).code === 'ENOENT' && (await this.#layout.exists())
    if (!isGone) throw unavailable(`${this.name}: ${ref} could not be read`, cause)
    throw new PosthasteError('NOT_FOUND', `${this.name}: ${ref} is not there, or no longer`, {
      cause,
      remedy: 'Keep bodies for longer than any message needs them (keepForMs).',
    })
  }
}

function unavailable(message: string, cause: unknown): PosthasteError {
  return new PosthasteError('UNAVAILABLE', `${message}: ${(cause as Error).message}`, {
    cause,
    remedy: 'Make the directory readable and writable, with space left; then it goes on by itself.',
  })
}

function tooLarge(message: string, bytesMax: number): PosthasteError {
  return new PosthasteError('BODY_TOO_LARGE', `${message} than the ${bytesMax} that the store takes`, {
    remedy: 'Send less, or raise bytesMax.',
  })
}

const shownMax = 100

function shown(ref: string): string {
  return JSON.stringify(ref.length > shownMax ? `${ref.slice(0, shownMax)}…` : ref)
}
