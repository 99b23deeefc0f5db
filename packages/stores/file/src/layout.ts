import { randomUUID } from 'node:crypto'
import { constants } from 'node:fs'
import { type FileHandle, mkdir, open, rename, stat, unlink } from 'node:fs/promises'
import { dirname, join, resolve } from 'node:path'
import process from 'node:process'

const scheme = 'posthaste-file:'
const namePattern = /^[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}$/
const partial = 'partial'

/** Directories that bodies are spread over, so that none of them grows too long: the first two digits of the name. */
export const shards: readonly string[] = Array.from({ length: 256 }, (_, n) => n.toString(16).padStart(2, '0'))

/** The reference of a body: the name of its file and nothing of where that stands. */
export function refOf(name: string): string {
  return scheme + name
}

/** The name in a reference, or undefined where it is no reference of such a store: then it names no file at all. */
export function nameIn(ref: string): string | undefined {
  const name = ref.startsWith(scheme) ? ref.slice(scheme.length) : ''
  return namePattern.test(name) ? name : undefined
}

/** Where the store keeps what: bodies in 256 directories, and what is being written in one of its own. */
export class Layout {
  readonly #dir: string
  readonly #made = new Map<string, Promise<void>>()

  constructor(dir: string) {
    this.#dir = dir
  }

  shard(shard: string): string {
    return join(this.#dir, shard)
  }

  /** Where files stand that are not whole yet. */
  get partial(): string {
    return join(this.#dir, partial)
  }

  body(name: string): string {
    return join(this.#dir, name.slice(0, 2), name)
  }

  /** Whether this is a directory of a store at all, and not one that is not mounted, or another one. */
  async exists(): Promise<boolean> {
    return stat(this.partial).then(
      (found) => found.isDirectory(),
      () => false,
    )
  }

  /**
   * Keeps bytes under a new name, which nobody can guess and nothing ever stood under: no body is replaced, so neither a
   * reader nor a sweep can meet half of one. They are on disk under their name when this resolves.
   */
  async add(bytes: Uint8Array): Promise<string> {
    const name = randomUUID()
    const path = this.body(name)
    await Promise.all([this.#make(partial), this.#make(name.slice(0, 2))])
    const temporary = join(this.partial, name)
    try {
      await writeDurably(temporary, bytes)
      await rename(temporary, path)
    } catch (error) {
      await unlink(temporary).catch(() => {})
      // Somebody may have taken the directories away; they are made anew.
      this.#made.clear()
      throw error
    }
    await syncDirectory(dirname(path))
    return name
  }

  /** The file system's own clock, which the times of files are of: another machine's, where the directory is mounted. */
  async nowMs(): Promise<number> {
    await this.#make(partial)
    const path = join(this.partial, randomUUID())
    await (await open(path, 'wx')).close()
    const { mtimeMs } = await stat(path)
    await unlink(path)
    return mtimeMs
  }

  /** Makes a directory of the store once, durably; tries again after a failure. */
  #make(name: string): Promise<void> {
    const made = this.#made.get(name) ?? makeDurably(this.#dir, name)
    this.#made.set(name, made)
    made.catch(() => this.#made.delete(name))
    return made
  }
}

/** Reads a whole file. Symbolic links are not followed: the store makes none. */
export async function readWhole(path: string, bytesMax: number): Promise<Uint8Array | 'too large'> {
  const file = await open(path, constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0))
  try {
    const { size } = await file.stat()
    if (size > bytesMax) return 'too large'
    const { buffer, byteOffset, length } = await file.readFile()
    return new Uint8Array(buffer, byteOffset, length)
  } finally {
    await file.close()
  }
}

async function writeDurably(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, 'wx', 0o600)
  await closing(file, async () => {
    await file.writeFile(bytes)
    await file.sync()
  })
}

async function makeDurably(dir: string, name: string): Promise<void> {
  const path = resolve(dir, name)
  const first = await mkdir(path, { recursive: true })
  if (first === undefined) return
  // Each directory that was made is a new name in the one above it.
  for (let made = path; made.length >= first.length; made = dirname(made)) await syncDirectory(dirname(made))
}

/** A new name is durable once its directory is. Windows opens no directories, and keeps names with the files. */
async function syncDirectory(path: string): Promise<void> {
  if (process.platform === 'win32') return
  const directory = await open(path, constants.O_RDONLY)
  await closing(directory, () => directory.sync())
}

async function closing(file: FileHandle, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } finally {
    await file.close()
  }
}
